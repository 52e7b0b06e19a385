"""Another setting of the time-gain compensation: brighter at some depths, darker at others."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from apical.augmentations._shapes import curve
from apical.augmentations.base import Augmentation, AugmentationConfig, Draw

__all__ = ["DepthGain", "DepthGainConfig"]


class DepthGainConfig(AugmentationConfig):
    """How far the sliders are moved."""

    name: Literal["depth_gain"] = "depth_gain"
    probability: float = Field(default=0.5, ge=0, le=1)
    """The share of images that it changes."""
    strength: float = Field(default=0.4, ge=0, lt=1)
    """Most that a slider takes from the brightness at its depth, or adds to it, as a share of it."""
    sliders: int = Field(default=6, ge=2)
    """How many there are from the top to the bottom of the view."""


class DepthGain(Augmentation):
    """A smooth factor over depth. What is black stays black, so that the surround of the sector does too."""

    Config = DepthGainConfig
    config: DepthGainConfig

    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """`gains` (B, K) at the sliders: 1 where nothing is changed."""
        is_changed = random.random(count) < self.config.probability
        moved = random.uniform(-1, 1, (count, self.config.sliders)) * self.config.strength
        return {"gains": torch.from_numpy((1 + moved * is_changed[:, None]).astype(np.float32))}

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """The images times their gains, cut off at white."""
        gains = curve(draw["gains"].to(images.device), images.shape[2])
        return images.mul_(gains[:, None, :, None]).clamp_(0, 1)
