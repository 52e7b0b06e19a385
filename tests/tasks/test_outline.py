"""From parcels to one smooth mask: each step by itself, its speed, and that nothing hangs on the image's size."""

from __future__ import annotations

import statistics
import time

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from skimage.morphology import closing, disk

from apical.tasks._outline import OutlineConfig, closed, outlined, richest_piece, with_enclaves

Parcels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
PARCELS = 64


def drawn(*rows: str) -> Parcels:
    """A map of parcels, a digit each."""
    return np.array([[int(parcel) for parcel in row] for row in rows])


def shown(mask: Mask) -> list[str]:
    return ["".join("#" if inside else "." for inside in row) for row in mask]


def cavity(side: int, seed: int = 0) -> tuple[Parcels, set[int]]:
    """A map of patches of parcels as a transformer's would be, and those that lie in an ellipse for the most part."""
    random = np.random.default_rng(seed)
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    middles = random.random((PARCELS, 2))
    parcels = ((y[..., None] - middles[:, 0]) ** 2 + (x[..., None] - middles[:, 1]) ** 2).argmin(axis=2)
    inside = ((y - 0.45) / 0.3) ** 2 + ((x - 0.5) / 0.2) ** 2 <= 1
    shares = np.bincount(parcels[inside], minlength=PARCELS) / np.bincount(parcels.ravel(), minlength=PARCELS)
    return parcels, set(np.flatnonzero(shares > 0.5).tolist())


def test_the_piece_of_most_different_parcels_is_taken_not_the_largest() -> None:
    parcels = drawn("1110000", "1110023", "1110000")
    assert shown(richest_piece(parcels, {1, 2, 3})) == [".......", ".....##", "......."]


def test_of_equally_rich_pieces_the_largest_is_taken() -> None:
    parcels = drawn("120012", "000012", "000000")
    assert shown(richest_piece(parcels, {1, 2})) == ["....##", "....##", "......"]


def test_pieces_that_touch_at_a_corner_are_one() -> None:
    parcels = drawn("1000", "0200", "0030", "2004")
    assert shown(richest_piece(parcels, {1, 2, 3})) == ["#...", ".#..", "..#.", "...."]


def test_gaps_of_few_patches_are_filled_and_those_of_many_stay() -> None:
    parcels = drawn("1111111", "1234111", "1111151", "1111111")
    mask = parcels == 1
    few = ["#######", "#...###", "#######", "#######"]
    assert shown(with_enclaves(mask, parcels, 2)) == few
    assert shown(with_enclaves(mask, parcels, 3)) == few
    assert with_enclaves(mask, parcels, 4).all()
    assert shown(with_enclaves(mask, parcels, 1)) == shown(mask)


def test_patches_are_counted_not_parcels() -> None:
    parcels = drawn("11111", "12321", "11111")
    mask = parcels == 1
    assert shown(with_enclaves(mask, parcels, 3)) == shown(mask)
    assert with_enclaves(mask, parcels, 4).all()


@pytest.mark.parametrize("open_at", [(0, 2), (2, 4), (1, 0)])
def test_a_gap_that_is_open_to_the_outside_stays(open_at: tuple[int, int]) -> None:
    parcels = drawn("11111", "10001", "10001", "11111")
    parcels[open_at] = 0
    mask = parcels == 1
    assert shown(with_enclaves(mask, parcels, 100)) == shown(mask)


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 10])
def test_closing_is_that_of_scikit_image_with_a_disc(radius: int) -> None:
    for seed in range(5):
        random = np.random.default_rng(seed)
        mask = ndimage.gaussian_filter(random.normal(size=(40, 50)), 2) > 0.15
        wide = np.pad(mask, 2 * radius + 1)
        inner = slice(2 * radius + 1, -2 * radius - 1)
        expected = closing(wide, disk(radius))[inner, inner]  # type: ignore[no-untyped-call]
        np.testing.assert_array_equal(closed(mask, radius), expected)


def test_a_radius_of_nothing_closes_nothing() -> None:
    mask = drawn("101", "000") == 1
    assert shown(closed(mask, 0)) == shown(mask)
    assert not closed(np.zeros((5, 5), bool), 3).any()


@pytest.mark.parametrize("inside", [set(), {9}, {70}])
def test_where_nothing_is_inside_the_mask_is_empty(inside: set[int]) -> None:
    parcels = drawn("0123", "4567")
    for config in (OutlineConfig(), OutlineConfig(median=0.3), OutlineConfig(snake=None, closing=0)):
        mask = outlined(parcels, inside, config)
        assert mask.shape == parcels.shape
        assert not mask.any()


def test_a_blank_image_that_is_all_inside_is_all_but_its_corners() -> None:
    mask = outlined(np.zeros((60, 60), np.int64), {0}, OutlineConfig())
    assert mask.mean() > 0.9


def test_each_step_can_be_left_out() -> None:
    parcels, inside = cavity(112)
    rough = richest_piece(parcels, inside)
    bare = OutlineConfig(enclaves=0, closing=0, snake=None)
    np.testing.assert_array_equal(outlined(parcels, inside, bare), rough)
    wide = outlined(parcels, inside, bare.model_copy(update={"closing": 10 / 112}))
    np.testing.assert_array_equal(wide, closed(rough, 10.0))
    assert (outlined(parcels, inside, OutlineConfig()) ^ wide).any()


def test_the_median_takes_away_what_is_thinner_than_half_its_disc() -> None:
    parcels = np.zeros((112, 112), np.int64)
    parcels[30:80, 30:80] = 1
    parcels[50, 80:] = 1
    config = OutlineConfig(enclaves=0, closing=0, snake=None, median=3 / 112)
    mask = outlined(parcels, {1}, config)
    assert not mask[:, 84:].any()
    assert mask[33:77, 33:77].all()


def test_a_map_twice_as_large_gives_a_mask_twice_as_large() -> None:
    for seed in range(6):
        small, large = (outlined(*cavity(side, seed), OutlineConfig(median=3 / 112)) for side in (112, 224))
        doubled = small.repeat(2, axis=0).repeat(2, axis=1)
        assert 2 * (doubled & large).sum() / (doubled.sum() + large.sum()) > 0.97


def test_a_frame_takes_less_than_ten_milliseconds_of_the_processor() -> None:
    maps = [cavity(112, seed) for seed in range(8)]
    taken = []
    for parcels, inside in maps * 4:
        began = time.process_time()
        mask = outlined(parcels, inside, OutlineConfig())
        taken.append(time.process_time() - began)
        assert mask.any()
    assert statistics.median(taken) < 0.010
