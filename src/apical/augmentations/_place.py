"""Where an image is moved, turned and stretched to: settings and random numbers come in; warps go out.

Unlike a crop it may show more than the frame, whose surroundings are black: so a heart gets smaller as well as larger.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from pydantic import Field

from apical.augmentations._ranges import PositiveRange
from apical.augmentations._resampling import Interpolation
from apical.augmentations.base import Draw
from apical.config import Config

__all__ = ["PlaceConfig", "draw_places"]


class PlaceConfig(Config):
    """How a view lies over its frame: all done in one resampling."""

    zoom: PositiveRange = (0.8, 1.25)
    """Least and most that the heart is enlarged; a zoom and its inverse are drawn as often."""
    stretch: float = Field(default=0.0, ge=0, lt=1)
    """Most that it gets wider and lower, or narrower and higher: the logarithm of the factor."""
    shift: float = Field(default=0.1, ge=0, le=1)
    """Most that it is moved along either side, as a share of the side."""
    rotation_degrees: float = Field(default=20.0, ge=0, le=180)
    """Most that it is turned about the centre, either way."""
    flip_probability: float = Field(default=0.0, ge=0, le=1)
    """The share of views whose left and right change places."""
    interpolation: Interpolation = "bilinear"
    """What lies between pixels."""


def draw_places(
    config: PlaceConfig, random: np.random.Generator, count: int, height: int, width: int
) -> Draw:
    """`warps` (B, 2, 3) of `count` views, and what `draw_crops` gives beside them."""
    low, high = map(math.log, config.zoom)
    zoom = np.exp(random.uniform(low, high, count))
    stretch = np.exp(random.uniform(-1, 1, count) * config.stretch)
    mirror = np.where(random.random(count) < config.flip_probability, -1.0, 1.0)
    angle = np.radians(random.uniform(-1, 1, count) * config.rotation_degrees)
    shift = random.uniform(-2, 2, (2, count)) * config.shift
    wide, tall = mirror / (zoom * stretch), stretch / zoom
    cosine, sine = np.cos(angle), np.sin(angle)
    right = np.stack([cosine * wide, -sine * tall * height / width, shift[0]])
    below = np.stack([sine * wide * width / height, cosine * tall, shift[1]])
    return {
        "boxes": torch.tensor([[0, 0, height, width]], dtype=torch.int32).repeat(count, 1),
        "flips": torch.zeros(count, dtype=torch.bool),
        "turned": torch.ones(count, dtype=torch.bool),
        "warps": torch.from_numpy(np.stack([right, below]).transpose(2, 0, 1).astype(np.float32)),
    }
