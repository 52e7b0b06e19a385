"""Where a view lies in its frame: settings and random numbers come in; boxes, flips and warps go out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from apical.augmentations._ranges import PositiveRange, ShareRange
from apical.augmentations._resampling import Interpolation
from apical.augmentations.base import Draw
from apical.config import Config

__all__ = ["CropConfig", "draw_crops"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ATTEMPTS = 10
"""Boxes that are tried before the largest one at the centre is taken, as RandomResizedCrop does."""
CANDIDATES = 8
"""Crops of which the first that holds enough of the sector is taken."""
POINTS = 8
"""Points a side of a crop where it is seen whether the sector is there."""


class CropConfig(Config):
    """Which part of the frame a view shows, and how it is turned: all done in one resampling."""

    scale: ShareRange = (0.4, 1.0)
    """Least and most area of the crop, as a share of the frame's."""
    ratio: PositiveRange = (3 / 4, 4 / 3)
    """Least and most width of the crop for a height of 1."""
    flip_probability: float = Field(default=0.5, ge=0, le=1)
    """The share of views whose left and right change places."""
    rotation_degrees: float = Field(default=0.0, ge=0, le=180)
    """Most that a view is turned about its centre, either way; what lies outside the frame is black."""
    rotation_probability: float = Field(default=1.0, ge=0, le=1)
    """The share of views that are turned, if any are."""
    interpolation: Interpolation = "bilinear"
    """What lies between pixels. Views that are not turned are anti-aliased as well."""
    sector_aware: float | None = Field(default=None, gt=0, le=1)
    """Least share of the crop that the ultrasound sector should fill; null takes any crop."""


def draw_crops(
    config: CropConfig,
    random: np.random.Generator,
    count: int,
    height: int,
    width: int,
    sectors: Tensor | None = None,
) -> Draw:
    """`boxes` (B, 4: top, left, height, width), `flips`, `turned` (B,) and `warps` (B, 2, 3) of `count` views."""
    is_aware = config.sector_aware is not None and sectors is not None
    drawn = count * (CANDIDATES if is_aware else 1)
    boxes = _boxes(config, random, drawn, height, width)
    flips = random.random(drawn) < config.flip_probability
    angles = np.radians(random.uniform(-1, 1, drawn) * config.rotation_degrees)
    angles = np.where(random.random(drawn) < config.rotation_probability, angles, 0.0)
    warps = _warps(boxes, flips, angles, height, width)
    chosen = np.arange(drawn)
    if config.sector_aware is not None and sectors is not None:
        chosen = _most_of_the_sector(warps, sectors, config.sector_aware)
    return {
        "boxes": torch.from_numpy(boxes[chosen].astype(np.int32)),
        "flips": torch.from_numpy(flips[chosen]),
        "turned": torch.from_numpy(angles[chosen] != 0),
        "warps": torch.from_numpy(warps[chosen].astype(np.float32)),
    }


def _boxes(config: CropConfig, random: np.random.Generator, count: int, height: int, width: int) -> Integers:
    """The first of each row of attempts that lies in the frame: (B, 4)."""
    area = height * width * random.uniform(*config.scale, (count, ATTEMPTS))
    narrow, wide = map(math.log, config.ratio)
    ratio = np.exp(random.uniform(narrow, wide, (count, ATTEMPTS)))
    sizes = np.stack([np.rint(np.sqrt(area / ratio)), np.rint(np.sqrt(area * ratio))], axis=-1)
    fits: Flags = np.all((sizes >= 1) & (sizes <= (height, width)), axis=-1)
    size = sizes[np.arange(count), fits.argmax(axis=1)]
    corner = np.floor(random.random((count, 2)) * ((height, width) - size + 1))
    boxes = np.concatenate([corner, size], axis=1).astype(np.int64)
    boxes[~fits.any(axis=1)] = _largest_box(config, height, width)
    return boxes


def _largest_box(config: CropConfig, height: int, width: int) -> tuple[int, int, int, int]:
    """The largest box at the frame's centre whose ratio is allowed."""
    tall = min(height, round(width / config.ratio[0]))
    wide = min(width, round(height * config.ratio[1]))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def _warps(boxes: Integers, flips: Flags, angles: Floats, height: int, width: int) -> Floats:
    """(B, 2, 3) from places in the view to places in the frame; turned in pixels, where angles are angles."""
    top, left, tall, wide = boxes.astype(np.float64).T
    cosine, sine, mirror = np.cos(angles), np.sin(angles), np.where(flips, -1.0, 1.0)
    right = np.stack([cosine * wide * mirror / width, -sine * tall / width, (2 * left + wide) / width - 1])
    below = np.stack([sine * wide * mirror / height, cosine * tall / height, (2 * top + tall) / height - 1])
    return np.stack([right, below]).transpose(2, 0, 1)


def _most_of_the_sector(warps: Floats, sectors: Tensor, least: float) -> Integers:
    """Of each sample's candidates the first that shows enough of its sector (B, S, S), else the one with most."""
    coverage = sectors.numpy()
    count, side = len(coverage), coverage.shape[-1]
    ticks = (np.arange(POINTS) * 2 + 1) / POINTS - 1
    places = np.stack([*np.meshgrid(ticks, ticks), np.ones((POINTS, POINTS))]).reshape(3, -1)
    cells = np.floor((warps @ places + 1) / 2 * side).astype(np.int64).reshape(count, CANDIDATES, 2, -1)
    x, y = cells.clip(0, side - 1).transpose(2, 0, 1, 3)
    is_in_frame = ((cells >= 0) & (cells < side)).all(axis=2)
    share = (coverage[np.arange(count)[:, None, None], y, x] * is_in_frame).mean(axis=2)
    is_enough = share >= least
    best: Integers = np.where(is_enough.any(axis=1), is_enough.argmax(axis=1), share.argmax(axis=1))
    return np.arange(count) * CANDIDATES + best
