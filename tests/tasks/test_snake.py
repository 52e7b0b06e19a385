"""The snake beside scikit-image's, and filled lines beside its polygons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from skimage.draw import polygon2mask
from skimage.filters import sobel
from skimage.measure import find_contours
from skimage.segmentation import active_contour

from apical.tasks._snake import SnakeConfig, filled, settled_line, smoothed

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
SIDE = 64


def blob(seed: int, side: int = SIDE) -> Mask:
    """A ragged piece in the middle, that does not touch the border."""
    random = np.random.default_rng(seed)
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    angle, radius = np.arctan2(y, x), np.hypot(y, x)
    bumps = sum(random.uniform(-0.05, 0.05) * np.cos(k * angle + random.uniform(0, 6)) for k in range(2, 9))
    rough: Mask = radius + ndimage.gaussian_filter(random.normal(0, 0.15, (side, side)), 1.5) < 0.28 + bumps
    pieces, _ = ndimage.label(rough)
    return np.asarray(pieces == pieces[side // 2, side // 2])


def outline(mask: Mask) -> Floats:
    lines: list[Floats] = find_contours(mask.astype(np.float64), 0.5)  # type: ignore[no-untyped-call]
    return max(lines, key=len)[:-1]


def surface_and_line(mask: Mask) -> tuple[Floats, Floats]:
    return ndimage.gaussian_filter(mask.astype(np.float64), 2.0, mode="nearest"), outline(mask)


def slope_of(surface: Floats) -> Floats:
    slope: Floats = sobel(surface)  # type: ignore[no-untyped-call]
    return slope


def their_line(surface: Floats, line: Floats, config: SnakeConfig) -> Floats:
    """Where the snake of scikit-image settles."""
    settled: Floats = active_contour(  # type: ignore[no-untyped-call]
        surface, line, alpha=config.tension, beta=config.stiffness, gamma=config.step,
        w_line=0, w_edge=1, max_num_iter=config.iterations, boundary_condition="periodic",
    )  # fmt: skip
    return settled


def their_polygon(shape: tuple[int, int], line: Floats) -> Mask:
    polygon: Mask = polygon2mask(shape, line)  # type: ignore[no-untyped-call]
    return polygon


def ragged_line(random: np.random.Generator, count: int) -> Floats:
    """A closed line that crosses itself and leaves the image."""
    return np.asarray(random.uniform(-8, 40, (count, 2)))


def dice(one: Mask, other: Mask) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("iterations", [1, 10, 11, 12, 60])
@pytest.mark.parametrize(
    ("tension", "stiffness", "step"), [(0.0, 0.2, 0.01), (0.05, 0.1, 0.1), (0.3, 2.0, 0.05)]
)
def test_the_line_settles_where_that_of_scikit_image_does(
    tension: float, stiffness: float, step: float, iterations: int
) -> None:
    config = SnakeConfig(tension=tension, stiffness=stiffness, step=step, iterations=iterations)
    for seed in (0, 1):
        surface, line = surface_and_line(blob(seed))
        theirs = their_line(surface, line, config)
        assert np.abs(theirs - line).max() > 0.1
        ours = settled_line(line, slope_of(surface), config)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_a_line_that_has_settled_stays_as_that_of_scikit_image_does() -> None:
    surface, line = surface_and_line(blob(2))
    earlier, later = (
        SnakeConfig(stiffness=0.1, step=0.1, iterations=iterations) for iterations in (1500, 2500)
    )
    settled = settled_line(line, slope_of(surface), later)
    np.testing.assert_allclose(settled, their_line(surface, line, later), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(settled, settled_line(line, slope_of(surface), earlier))


@pytest.mark.parametrize("count", [3, 4, 7, 40])
def test_a_filled_line_is_the_polygon_of_scikit_image(count: int) -> None:
    random = np.random.default_rng(count)
    for _ in range(40):
        line, shape = ragged_line(random, count), (int(random.integers(1, 33)), int(random.integers(1, 33)))
        np.testing.assert_array_equal(filled(line, shape), their_polygon(shape, line))


def test_a_line_round_a_mask_is_filled_with_the_mask() -> None:
    for seed in range(5):
        mask = ndimage.binary_fill_holes(blob(seed))
        np.testing.assert_array_equal(filled(outline(mask), mask.shape), mask)


def test_an_empty_mask_stays_empty() -> None:
    assert not smoothed(np.zeros((20, 30), bool), SnakeConfig()).any()


def test_a_smooth_mask_is_the_same_as_if_all_of_the_image_was_looked_at() -> None:
    mask, config = np.pad(blob(3), 40), SnakeConfig(blur=2 / 144)
    surface, line = surface_and_line(mask)
    expected = filled(settled_line(line, slope_of(surface), config), mask.shape)
    np.testing.assert_array_equal(smoothed(mask, config), expected)
    assert dice(expected, mask) > 0.85


def test_a_ragged_outline_becomes_smoother_and_keeps_its_place() -> None:
    for seed in range(5):
        mask = blob(seed, 112)
        smooth = smoothed(mask, SnakeConfig())
        edges = [int((each ^ ndimage.binary_erosion(each)).sum()) for each in (mask, smooth)]
        assert edges[1] < edges[0]
        assert dice(smooth, mask) > 0.9


@pytest.mark.parametrize("turns", range(4))
def test_a_mask_that_touches_the_border_still_touches_it(turns: int) -> None:
    y, x = np.mgrid[:56, :80]
    mask = np.rot90((y - 56) ** 2 + (x - 40) ** 2 < 25**2, turns)
    smooth = smoothed(mask, SnakeConfig())
    assert smooth.shape == mask.shape
    assert dice(smooth, mask) > 0.9
    touches = [np.rot90(each, -turns)[-3:].any() for each in (smooth, mask)]
    assert all(touches)


def test_an_image_that_is_all_mask_is_still_almost_all_mask() -> None:
    assert smoothed(np.ones((40, 40), bool), SnakeConfig()).mean() > 0.85


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_speck_makes_no_trouble(side: int) -> None:
    mask = np.zeros((30, 30), bool)
    mask[4 : 4 + side, 6 : 6 + side] = True
    smooth = smoothed(mask, SnakeConfig())
    assert smooth.sum() <= 16
