"""Blurred by a Gaussian of random width."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from apical.augmentations._ranges import PositiveRange
from apical.augmentations._taps import reflected, separable
from apical.augmentations.base import Augmentation, AugmentationConfig, Draw

__all__ = ["Blur", "BlurConfig"]

NEGLIGIBLE = 1e-5
"""A tap of this weight or less is left out: a hundredth of what one grey level of 255 would show."""


class BlurConfig(AugmentationConfig):
    """How wide the Gaussian is; by default as in SimCLR on images of 224 pixels."""

    name: Literal["blur"] = "blur"
    probability: float = Field(default=0.5, ge=0, le=1)
    """The share of images that it changes."""
    sigma: PositiveRange = (0.1, 2.0)
    """Least and most standard deviation in pixels."""
    kernel_size: int = Field(default=23, ge=1)
    """Pixels that the kernel reaches over at most; an odd number."""

    @field_validator("kernel_size")
    @classmethod
    def _has_middle(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("Write an odd number")
        return size


class Blur(Augmentation):
    """A Gaussian blur, mirrored at the edges."""

    Config = BlurConfig
    config: BlurConfig

    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """Whether each image `is_changed`, and how far its kernel `reaches` (B,); the `kernels` (B, K)."""
        is_changed = random.random(count) < self.config.probability
        sigmas = random.uniform(*self.config.sigma, count)[:, None]
        reach = self.config.kernel_size // 2
        offsets = np.arange(-reach, reach + 1)
        kernels = np.exp(-0.5 * (offsets / sigmas) ** 2)
        kernels /= kernels.sum(axis=1, keepdims=True)
        kernels[kernels <= NEGLIGIBLE] = 0
        kernels /= kernels.sum(axis=1, keepdims=True)
        return {
            "is_changed": torch.from_numpy(is_changed),
            "kernels": torch.from_numpy(kernels.astype(np.float32)),
            "reaches": torch.from_numpy((offsets * (kernels > 0)).max(axis=1)),
        }

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """The images that are changed blurred down and across."""
        chosen = draw["is_changed"].nonzero().flatten()
        if not len(chosen):
            return images
        reach, most = int(draw["reaches"][chosen].max()), self.config.kernel_size // 2
        kernels = draw["kernels"][chosen, most - reach : most + reach + 1].to(images.device)
        places = chosen.to(images.device)
        height, width = images.shape[2:]
        images[places] = separable(images[places], reflected(kernels, height), reflected(kernels, width))
        return images
