"""Asd is monai's, whatever the masks and their spacing."""

from __future__ import annotations

import pytest
import torch
from monai.metrics.surface_distance import compute_average_surface_distance

from apical.metrics.asd import Asd
from apical.metrics.base import MaskPair
from tests.metrics.blobs import disc, pairs

pytestmark = pytest.mark.filterwarnings("ignore:monai.*always_return_as_numpy:FutureWarning")  # from within


def monais(pair: MaskPair) -> float:
    found, truth = (torch.from_numpy(mask)[None, None].float() for mask in (pair.found, pair.truth))
    return float(
        compute_average_surface_distance(
            found, truth, include_background=True, symmetric=True, spacing=pair.spacing
        )
    )


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 0.4), (0.3, 2.0)])
@pytest.mark.parametrize("case", pairs())
def test_asd_is_monais(case: str, spacing: tuple[float, float]) -> None:
    pair = pairs(spacing)[case]
    assert Asd().measure(pair) == pytest.approx(monais(pair), rel=1e-5)  # theirs is float32


def test_circles_in_one_another_are_as_far_apart_as_their_radii_differ() -> None:
    pair = MaskPair(disc(24, 32, 12), disc(24, 32, 18), (0.5, 0.5))
    assert Asd().measure(pair) == pytest.approx(3, abs=0.25)
