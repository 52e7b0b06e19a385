"""Dark greys spread or pressed together, as a machine's grey maps do."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from apical.augmentations._ranges import PositiveRange
from apical.augmentations.base import Augmentation, AugmentationConfig, Draw

__all__ = ["Gamma", "GammaConfig"]


class GammaConfig(AugmentationConfig):
    """How much the curve bends."""

    name: Literal["gamma"] = "gamma"
    probability: float = Field(default=0.5, ge=0, le=1)
    """The share of images that it changes."""
    exponent: PositiveRange = (0.6, 1.6)
    """Least and most power that greys from 0 to 1 are raised to; below 1 the dark ones get brighter."""


class Gamma(Augmentation):
    """Greys raised to a power; a power and its inverse are drawn as often."""

    Config = GammaConfig
    config: GammaConfig

    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """`exponents` (B,): 1 where nothing is changed."""
        is_changed = random.random(count) < self.config.probability
        low, high = map(math.log, self.config.exponent)
        exponents = np.exp(random.uniform(low, high, count))
        return {"exponents": torch.from_numpy(np.where(is_changed, exponents, 1.0))}

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """Frame by frame: within a longer row of numbers, a power's last bit may depend on where it stands."""
        for clip, exponent in zip(images, draw["exponents"].tolist(), strict=True):
            if exponent != 1:
                for frame in clip:
                    frame.pow_(exponent)
        return images
