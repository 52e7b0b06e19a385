"""A veil of clutter: sound that went to and fro near the probe lies over the image, most of all over its near field."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from apical.augmentations._ranges import PositiveRange, ShareRange
from apical.augmentations._shapes import centres, curve, per_image
from apical.augmentations.base import Augmentation, AugmentationConfig, Draw

__all__ = ["Haze", "HazeConfig"]

BLACK = 0.02
"""What is darker than this on both sides of all tissue lies beside the sector, and stays as it is."""
PATCHES = 5
"""Knots a side of the veil's uneven density."""


class HazeConfig(AugmentationConfig):
    """How dense the veil is, and how deep it reaches."""

    name: Literal["haze"] = "haze"
    probability: float = Field(default=0.3, ge=0, le=1)
    """The share of images that it changes."""
    strength: ShareRange = (0.1, 0.35)
    """Least and most grey, of 1, that is added where the veil is densest."""
    reach: PositiveRange = (0.2, 0.6)
    """Least and most depth, as a share of the view's height, where half of it is left."""
    unevenness: float = Field(default=0.6, ge=0, le=1)
    """How much thinner the veil is in places."""


class Haze(Augmentation):
    """A smooth grey is added within the sector, uneven across, less with depth; what is white can't get whiter."""

    Config = HazeConfig
    config: HazeConfig

    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """`strengths` (0 where nothing is changed), `reaches` (B,) and `patches` (B, K, K) of density."""
        config = self.config
        is_changed = random.random(count) < config.probability
        draw = {
            "strengths": random.uniform(*config.strength, count) * is_changed,
            "reaches": random.uniform(*config.reach, count),
            "patches": 1 - config.unevenness * random.random((count, PATCHES, PATCHES)),
        }
        return {name: torch.from_numpy(values.astype(np.float32)) for name, values in draw.items()}

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """The images under their veils."""
        height, width = images.shape[2:]
        depths = centres(height, images.device)[:, None] / per_image(draw["reaches"], images)
        across = curve(draw["patches"].to(images.device), width)
        veil = curve(across.mT.contiguous(), height)[:, None]
        veil.mul_(per_image(draw["strengths"], images) / (1 + depths * depths)).mul_(_sectors(images))
        return images.add_((1 - images).mul_(veil)).clamp_(0, 1)


def _sectors(images: Tensor) -> Tensor:
    """Where in clips (B, T, H, W) the sector is: (B, 1, H, W), in each row what lies between lit places near it."""
    width = images.shape[3]
    lit = images.amax(dim=1, keepdim=True) > BLACK
    columns = torch.arange(1, width + 1, device=images.device, dtype=torch.float32)
    reaches = [lit.mul(columns).amax(dim=3), lit.mul(columns.flip(0)).amax(dim=3)]
    ends = torch.stack(reaches, dim=2)  # (B, 1, 2, H): how far it reaches to the right and to the left
    is_empty = ends == 0
    span = 2 * (images.shape[2] // 40) + 1
    for sign in (1, -1):  # notches are filled, and the edge is where it was
        ends = functional.max_pool2d(sign * ends, (1, span), stride=1, padding=(0, span // 2)) * sign
    ends.masked_fill_(is_empty, 0)
    first, last = width + 1 - ends[:, :, 1, :, None], ends[:, :, 0, :, None]
    return (columns - (first + last) / 2).abs_() <= (last - first) / 2
