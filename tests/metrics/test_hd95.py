"""Hd95 is monai's, whatever the masks and their spacing."""

from __future__ import annotations

import pytest
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance

from apical.metrics.base import MaskPair
from apical.metrics.hd95 import Hd95
from tests.metrics.blobs import disc, pairs

pytestmark = pytest.mark.filterwarnings("ignore:monai.*always_return_as_numpy:FutureWarning")  # from within


def monais(pair: MaskPair) -> float:
    found, truth = (torch.from_numpy(mask)[None, None].float() for mask in (pair.found, pair.truth))
    return float(
        compute_hausdorff_distance(found, truth, include_background=True, percentile=95, spacing=pair.spacing)
    )


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 0.4), (0.3, 2.0)])
@pytest.mark.parametrize("case", pairs())
def test_hd95_is_monais(case: str, spacing: tuple[float, float]) -> None:
    pair = pairs(spacing)[case]
    assert Hd95().measure(pair) == pytest.approx(monais(pair), rel=1e-5)  # theirs is float32


def test_the_worse_direction_counts() -> None:
    pair = MaskPair(disc(24, 32, 3), disc(24, 32, 3) | disc(24, 55, 6))
    assert Hd95().measure(pair) > 20
