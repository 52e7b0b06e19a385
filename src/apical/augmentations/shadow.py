"""An acoustic shadow: a rib, lung or calcification lets little sound through, and what lies behind it is dark."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from apical.augmentations._ranges import PositiveRange, ShareRange
from apical.augmentations._shapes import centres, per_image, ramp
from apical.augmentations.base import Augmentation, AugmentationConfig, Draw

__all__ = ["Shadow", "ShadowConfig"]

ABOVE = 0.06
"""How far above the view the beams meet, as a share of its height: the probe's face is a little wide."""
STEEPNESS = 8
"""The shadow is as dark as it gets after this part of the view's height."""


class ShadowConfig(AugmentationConfig):
    """How wide, how dark and how soft the shadow is."""

    name: Literal["shadow"] = "shadow"
    probability: float = Field(default=0.3, ge=0, le=1)
    """The share of images that it changes."""
    strength: ShareRange = (0.4, 0.95)
    """Least and most share of the brightness that is lost in the middle of the shadow."""
    width_degrees: PositiveRange = (8.0, 24.0)
    """Least and most angle that the shadow fills, its soft edges included."""
    steepest_degrees: float = Field(default=35.0, ge=0, lt=80)
    """Most that it leans from straight down."""
    deepest_start: float = Field(default=0.4, ge=0, le=1)
    """Deepest place where it begins, as a share of the view's height."""


class Shadow(Augmentation):
    """A wedge from the probe, which is taken to lie over the middle of the view's upper edge."""

    Config = ShadowConfig
    config: ShadowConfig

    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """(B,) each: `strengths` (0 where nothing is changed), `leans` and `widths` as slopes, `starts`."""
        config = self.config
        is_changed = random.random(count) < config.probability
        leans = np.radians(random.uniform(-1, 1, count) * config.steepest_degrees)
        widths = np.radians(random.uniform(*config.width_degrees, count)) / 2
        draw = {
            "strengths": random.uniform(*config.strength, count) * is_changed,
            "leans": np.tan(leans),
            "widths": (np.tan(leans + widths) - np.tan(leans - widths)) / 2,
            "starts": random.uniform(0, 1, count) * config.deepest_start,
        }
        return {name: torch.from_numpy(values.astype(np.float32)) for name, values in draw.items()}

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """The images, darker in the wedge; two thirds of its width are its edges."""
        strengths, leans, widths, starts = (
            per_image(draw[name], images) for name in ("strengths", "leans", "widths", "starts")
        )
        height, width = images.shape[2:]
        depths = (centres(height, images.device) + ABOVE)[:, None]
        slopes = (centres(width, images.device) - 0.5) * (width / height) / depths
        wedge = ramp(1.5 - 1.5 * (slopes - leans).abs() / widths)
        begun = ramp((depths - ABOVE - starts) * STEEPNESS)
        return images.mul_(1 - strengths * wedge * begun)
