"""Brighter or darker, harder or softer: ColorJitter as it acts on grey images.

Saturation and hue have nothing to change in a grey image, and to make it grey does nothing: so the colour jitter and
random greyscale of SimCLR and DINO come down to this.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from apical.augmentations.base import Augmentation, AugmentationConfig, Draw

__all__ = ["Contrast", "ContrastConfig"]


class ContrastConfig(AugmentationConfig):
    """How much brightness and contrast vary."""

    name: Literal["contrast"] = "contrast"
    probability: float = Field(default=0.8, ge=0, le=1)
    """The share of images that it changes."""
    brightness: float = Field(default=0.8, ge=0)
    """The image is multiplied by a factor that lies up to this far from 1."""
    contrast: float = Field(default=0.8, ge=0)
    """What sets a pixel apart from the mean is multiplied by a factor that lies up to this far from 1."""


class Contrast(Augmentation):
    """Brightness, then contrast, or the other way round. A clip has one mean, so that it doesn't flicker."""

    Config = ContrastConfig
    config: ContrastConfig

    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """`brightness` and `contrast` (B,), 1 where nothing is changed, and whether brightness `is_first`."""
        is_changed = random.random(count) < self.config.probability
        spreads = {"brightness": self.config.brightness, "contrast": self.config.contrast}
        factors = {
            name: random.uniform(max(0.0, 1 - spread), 1 + spread, count) for name, spread in spreads.items()
        }
        draw = {
            name: torch.from_numpy(np.where(is_changed, values, 1.0).astype(np.float32))
            for name, values in factors.items()
        }
        return {**draw, "is_first": torch.from_numpy(random.random(count) < 0.5)}

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """Both changes, each cut off at black and white."""
        parameters = (draw[name].to(images.device) for name in ("brightness", "contrast", "is_first"))
        brightness, contrast, is_first = (values[:, None, None, None] for values in parameters)
        first = torch.where(is_first, brightness, contrast)
        second = torch.where(is_first, contrast, brightness)
        return _scaled(_scaled(images, first, ~is_first), second, is_first)


def _scaled(images: Tensor, factors: Tensor, about_mean: Tensor) -> Tensor:
    """Images times factors (B, 1, 1, 1), about their means or about black."""
    pivots = _means(images) * about_mean
    return images.mul_(factors).add_(pivots.mul_(1 - factors)).clamp_(0, 1)


def _means(images: Tensor) -> Tensor:
    """(B, 1, 1, 1); row by row first, since one long sum is split in another way when it is the only one."""
    return images.mean(dim=3).mean(dim=(1, 2))[:, None, None, None]
