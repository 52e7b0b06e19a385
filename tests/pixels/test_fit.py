from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from apical.errors import ApicalError
from apical.pixels.fit import Fit, fit_of, make_fit
from apical.readers.base import Box, Frames

MODES: list[Literal["stretch", "pad"]] = ["stretch", "pad"]


def ramp(height: int, width: int) -> Frames:
    """A picture that is twice as bright as its column and row say, so that places can be read off it."""
    return (np.arange(height)[:, None] + np.arange(width)).astype(np.uint8)[None]


def whole(height: int, width: int, stored_height: int, stored_width: int) -> Fit:
    return make_fit(height, width, Box(0, 0, height, width), stored_height, stored_width, "stretch")


def test_the_same_size_costs_nothing() -> None:
    frames = ramp(112, 112)
    assert whole(112, 112, 112, 112).frames(frames) is not None
    assert np.shares_memory(whole(112, 112, 112, 112).frames(frames), frames)


def test_shrinking_averages_areas() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 60, 80), np.uint8)
    blocks = frames.reshape(3, 30, 2, 20, 4).mean(axis=(2, 4))
    assert np.abs(whole(60, 80, 30, 20).frames(frames) - blocks).max() <= 0.5


@pytest.mark.parametrize("stored", [(70, 45), (150, 90), (30, 200)])
def test_any_size_keeps_a_ramp_in_its_place(stored: tuple[int, int]) -> None:
    fit = whole(100, 60, *stored)
    rows, columns = np.mgrid[8 : stored[0] - 8, 8 : stored[1] - 8]
    back = (rows + 0.5) * 100 / stored[0] - 0.5 + (columns + 0.5) * 60 / stored[1] - 0.5
    fitted = fit.frames(ramp(100, 60))[0, 8:-8, 8:-8]
    assert np.abs(fitted - back).max() <= 1.0


def test_brightness_is_kept_at_any_size() -> None:
    white = np.full((1, 37, 91), 255, np.uint8)
    for stored in ((112, 112), (13, 17), (37, 91)):
        assert whole(37, 91, *stored).frames(white).min() == 255


def test_padding_keeps_the_shape_and_the_middle() -> None:
    fit = make_fit(50, 100, Box(0, 0, 50, 100), 112, 112, "pad")
    assert fit.inner == Box(28, 0, 84, 112)
    fitted = fit.frames(np.full((2, 50, 100), 200, np.uint8))
    assert fitted[:, 28:84].min() == 200
    assert not fitted[:, :28].any()
    assert not fitted[:, 84:].any()


@pytest.mark.parametrize("mode", MODES)
def test_points_land_on_the_pixels_that_they_mark(mode: Literal["stretch", "pad"]) -> None:
    frames = np.zeros((1, 120, 200), np.uint8)
    frames[0, 60:70, 100:130] = 255
    fit = make_fit(120, 200, Box(20, 50, 110, 190), 96, 112, mode)
    centre = fit.points(np.array([[114.5, 64.5]]))[0]
    fitted = fit.frames(frames)[0].astype(float)
    rows, columns = np.mgrid[:96, :112]
    assert centre[0] == pytest.approx((fitted * columns).sum() / fitted.sum(), abs=0.05)
    assert centre[1] == pytest.approx((fitted * rows).sum() / fitted.sum(), abs=0.05)


@pytest.mark.parametrize("mode", MODES)
def test_a_mask_comes_back_where_it_was(mode: Literal["stretch", "pad"]) -> None:
    mask = np.zeros((240, 300), np.uint8)
    mask[80:160, 100:200] = 2
    fit = make_fit(240, 300, Box(10, 20, 230, 290), 112, 112, mode)
    stored = fit.labels(mask)
    assert set(np.unique(stored)) == {0, 2}
    back = fit.to_source(stored)
    assert back.shape == mask.shape
    assert (back & mask).astype(bool).sum() / (back | mask).astype(bool).sum() > 0.95
    assert np.array_equal(fit.labels(back), stored)


def test_spacing_grows_as_pixels_do() -> None:
    fit = make_fit(200, 400, Box(0, 0, 200, 400), 100, 100, "stretch")
    assert fit.spacing(0.3, 0.3) == pytest.approx((0.6, 1.2))
    assert make_fit(200, 400, Box(0, 0, 200, 400), 100, 100, "pad").spacing(0.3, 0.3) == pytest.approx(
        (1.2, 1.2)
    )


def test_an_empty_box_is_refused() -> None:
    with pytest.raises(ApicalError):
        make_fit(100, 100, Box(50, 50, 50, 80), 112, 112, "stretch")


def test_a_fit_is_rebuilt_from_the_row_of_its_clip() -> None:
    fit = make_fit(480, 640, Box(20, 60, 400, 500), 224, 224, "pad")
    crop = {"crop_top": 20, "crop_left": 60, "crop_bottom": 400, "crop_right": 500}
    row = {"source_height": 480, "source_width": 640, "height": 224, "width": 224, **crop}
    assert fit_of(row, "pad") == fit


@pytest.mark.parametrize(
    ("height", "width", "is_same"), [(112, 112, True), (112, 111, False), (111, 112, False)]
)
def test_only_the_same_height_and_width_are_the_same_size(height: int, width: int, is_same: bool) -> None:
    fit = make_fit(height, width, Box(0, 0, height, width), 112, 112, "pad")
    assert fit.is_identity == is_same
