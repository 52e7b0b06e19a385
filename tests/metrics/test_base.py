"""A pair of masks works out once what several metrics need, and measures edges as one would by hand."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from apical.metrics.asd import Asd
from apical.metrics.base import MaskPair
from apical.metrics.hd95 import Hd95
from tests.metrics.blobs import EMPTY, Mask, disc, pairs


def edge_points(mask: Mask) -> list[tuple[int, int]]:
    """Pixels of the mask one of whose four neighbours is not of it, or lies outside the image."""
    padded = np.pad(mask, 1)
    return [
        (row, column)
        for row, column in np.argwhere(mask).tolist()
        if not all(padded[row + 1 + y, column + 1 + x] for y, x in ((0, 1), (1, 0), (0, -1), (-1, 0)))
    ]


def by_hand(from_mask: Mask, to_mask: Mask, spacing: tuple[float, float]) -> list[float]:
    scale = np.array(spacing)
    targets = np.array(edge_points(to_mask)) * scale
    return [
        float(np.linalg.norm(targets - point * scale, axis=1).min())
        for point in np.array(edge_points(from_mask))
    ]


@pytest.mark.parametrize("case", pairs())
def test_distances_are_those_between_edge_pixels(case: str) -> None:
    spacing = (0.7, 0.4)
    pair = pairs(spacing)[case]
    there, back = pair.surface_distances
    np.testing.assert_allclose(sorted(there), sorted(by_hand(pair.found, pair.truth, spacing)))
    np.testing.assert_allclose(sorted(back), sorted(by_hand(pair.truth, pair.found, spacing)))


def test_two_metrics_share_the_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    transform = Mock(wraps=distance_transform_edt)
    monkeypatch.setattr("apical.metrics.base.distance_transform_edt", transform)
    pair = MaskPair(disc(20, 20, 8), disc(22, 24, 9))
    Hd95().measure(pair)
    Asd().measure(pair)
    assert transform.call_count == 2


def test_areas_are_counted() -> None:
    pair = pairs()["nested"]
    assert pair.shared_area == pair.found_area == pair.found.sum()
    assert pair.true_area == pair.truth.sum()


def test_masks_of_two_shapes_or_of_numbers_are_refused() -> None:
    with pytest.raises(AssertionError):
        MaskPair(EMPTY, EMPTY[:-1])
    with pytest.raises(AssertionError):
        MaskPair(EMPTY.astype(np.uint8), EMPTY)
