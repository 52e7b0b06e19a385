from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from apical.pixels import sector
from apical.pixels.sector import blank_outside, find_sector
from apical.readers.base import Box, Frames

Mask = npt.NDArray[np.bool_]


def fan(
    height: int, width: int, tip: tuple[float, float], radius: float, half_angle_deg: float = 38.0
) -> Mask:
    """The pixels of a fan whose tip is at (row, column)."""
    rows, columns = np.mgrid[:height, :width]
    down, across = rows - tip[0], columns - tip[1]
    angle = np.degrees(np.arctan2(np.abs(across), np.maximum(down, 1e-9)))
    return np.asarray((np.hypot(down, across) <= radius) & (angle <= half_angle_deg) & (down > 0))


def tissue(mask: Mask, frames: int, seed: int = 0) -> Frames:
    """Moving speckle with a dark cavity and a dim far field, within `mask`."""
    height, width = mask.shape
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((height, width + 4 * frames)), 1.2)
    noise = (noise - noise.min()) / np.ptp(noise)
    rows, columns = np.nonzero(mask)
    cavity = np.hypot(*(np.mgrid[:height, :width] - np.array([rows.mean(), columns.mean()])[:, None, None]))
    gain = np.where(cavity < 0.15 * height, 0.08, 1.0) * np.linspace(1.0, 0.5, height)[:, None]
    moving = np.stack([noise[:, 4 * t : 4 * t + width] for t in range(frames)])
    return np.where(mask, 20 + 230 * gain * moving, 0).astype(np.uint8)


def add_dirt(frames: Frames) -> tuple[Frames, Mask]:
    """Text, a grey bar, depth marks and a running trace; and where they are."""
    height, width = frames.shape[1:]
    picture = Image.new("L", (width, height))
    pen = ImageDraw.Draw(picture)
    for row in range(6):
        pen.text((0.02 * width, (0.03 + 0.06 * row) * height), f"TEXT {row} 12.3 cm", fill=230)
    pen.rectangle((0.02 * width, 0.5 * height, 0.04 * width, 0.8 * height), fill=180)
    pen.rectangle((0.0, 0.955 * height, 0.5 * width, height), fill=90)
    for row in range(10):
        pen.line(
            (0.96 * width, (0.1 + 0.08 * row) * height, 0.98 * width, (0.1 + 0.08 * row) * height), fill=200
        )
    still = np.asarray(picture)
    dirty = np.maximum(frames, still)
    columns = np.arange(width)
    marked = still > 0
    for index, frame in enumerate(dirty):
        rows = (0.92 + 0.02 * np.sin((columns + 9 * index) / 6)) * height
        frame[rows.astype(int), columns] = 240
        marked[rows.astype(int), columns] = True
    return dirty, marked


@pytest.mark.parametrize("frames", [1, 40])
def test_the_fan_of_a_screen_shot_is_found_and_its_text_is_not(frames: int) -> None:
    truth = fan(480, 640, (30, 330), 400)
    dirty, marked = add_dirt(tissue(truth, frames))
    sector = find_sector(dirty, None)
    assert sector is not None
    assert (sector.mask & truth).sum() >= 0.97 * truth.sum()
    assert (sector.mask & ~truth).sum() <= 0.08 * truth.sum()
    assert not (sector.mask & marked & ~ndimage.binary_dilation(truth, iterations=8)).any()


@pytest.mark.parametrize("frames", [1, 40])
def test_the_fan_of_a_masked_clip_is_found_whole(frames: int) -> None:
    truth = fan(112, 112, (-3, 55), 112, 42)
    sector = find_sector(tissue(truth, frames), None)
    assert sector is not None
    assert (sector.mask & truth).sum() >= 0.97 * truth.sum()
    assert (sector.mask & ~truth).sum() <= 0.08 * truth.sum()


def test_a_dark_side_belongs_to_the_fan() -> None:
    truth = fan(240, 320, (10, 160), 210)
    frames = tissue(truth, 20)
    shadow = truth & ~fan(240, 320, (10, 160), 210, 25)
    frames[:, shadow] //= 16
    sector = find_sector(frames, None)
    assert sector is not None
    assert (sector.mask & truth).sum() >= 0.97 * truth.sum()


def test_a_picture_without_black_surround_is_taken_whole() -> None:
    sector = find_sector(tissue(np.ones((90, 120), np.bool_), 10), None)
    assert sector is not None
    assert sector.mask.all()
    assert sector.box == Box(0, 0, 90, 120)


def test_a_straight_probe_gives_its_rectangle() -> None:
    truth = np.zeros((200, 300), np.bool_)
    truth[40:160, 30:270] = True
    sector = find_sector(tissue(truth, 10), None)
    assert sector is not None
    assert (sector.mask & truth).sum() / (sector.mask | truth).sum() > 0.93


@pytest.mark.parametrize("shape", [(5, 112, 112), (1, 480, 640), (3, 2, 2), (1, 1, 1), (0, 112, 112)])
def test_a_blank_clip_has_no_sector(shape: tuple[int, int, int]) -> None:
    assert find_sector(np.zeros(shape, np.uint8), None) is None


def test_text_alone_is_no_sector() -> None:
    dirty, _ = add_dirt(np.zeros((10, 480, 640), np.uint8))
    assert find_sector(dirty, None) is None


def test_a_region_is_a_hint() -> None:
    truth = fan(480, 640, (30, 330), 400)
    frames = tissue(truth, 10)
    within = find_sector(frames, Box(0, 0, 300, 640))
    assert within is not None
    assert within.box.bottom <= 300
    misled = find_sector(frames, Box(0, 0, 100, 100))
    assert misled is not None
    assert (misled.mask & truth).sum() >= 0.97 * truth.sum()


def test_what_is_outside_is_blanked_and_counted() -> None:
    truth = fan(480, 640, (30, 330), 400)
    dirty, marked = add_dirt(tissue(truth, 10))
    sector = find_sector(dirty, None)
    assert sector is not None
    lit = np.count_nonzero(dirty)
    share = blank_outside(dirty, sector)
    assert share == pytest.approx(1 - np.count_nonzero(dirty) / lit)
    assert not dirty[:, ~sector.mask].any()
    assert not dirty[:, marked & ~truth].any()


def test_it_takes_milliseconds() -> None:
    frames = tissue(fan(112, 112, (-3, 55), 112, 42), 150)
    took_s = []
    for _ in range(5):
        began = time.perf_counter()
        find_sector(frames, None)
        took_s.append(time.perf_counter() - began)
    assert min(took_s) < 0.02  # 2 ms when the machine is free


@pytest.mark.parametrize("seed", range(5))
def test_thin_marks_are_opened_away_as_scipy_does_it(seed: int) -> None:
    mask = ndimage.uniform_filter(np.random.default_rng(seed).random((41, 53)), 3) > 0.48
    np.testing.assert_array_equal(
        sector._opened(mask), ndimage.binary_opening(mask, np.ones((3, 3), np.bool_))
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (1000, 3), (2, 129), (5, 640), (6, 700)])
def test_slivers_of_a_picture_are_borne(shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (4, *shape), np.uint8)
    found = find_sector(frames, None)
    assert found is None or found.mask.shape == shape
