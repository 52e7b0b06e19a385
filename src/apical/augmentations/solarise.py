"""What is bright is turned to its negative, as in BYOL and DINO."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from apical.augmentations._shapes import per_image
from apical.augmentations.base import Augmentation, AugmentationConfig, Draw

__all__ = ["Solarise", "SolariseConfig"]


class SolariseConfig(AugmentationConfig):
    """From which grey on."""

    name: Literal["solarise"] = "solarise"
    probability: float = Field(default=0.2, ge=0, le=1)
    """The share of images that it changes."""
    threshold: float = Field(default=128 / 255, ge=0, le=1)
    """The darkest grey, from 0 to 1, that is inverted."""


class Solarise(Augmentation):
    """Greys from a threshold on are inverted; the dark surround of an ultrasound image stays dark."""

    Config = SolariseConfig
    config: SolariseConfig

    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """`thresholds` (B,): infinity where nothing is changed."""
        is_changed = random.random(count) < self.config.probability
        thresholds = np.where(is_changed, self.config.threshold, np.inf)
        return {"thresholds": torch.from_numpy(thresholds.astype(np.float32))}

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """The images with what is bright inverted."""
        return torch.where(images >= per_image(draw["thresholds"], images), 1 - images, images)
