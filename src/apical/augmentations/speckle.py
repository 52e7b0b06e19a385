"""More speckle: multiplicative noise with grains as large as those of ultrasound.

The noise is a pure function of a seed for each image, worked out in whole numbers, so that any device makes the same.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from apical.augmentations._ranges import ShareRange
from apical.augmentations._shapes import per_image
from apical.augmentations._taps import Taps, separable
from apical.augmentations.base import Augmentation, AugmentationConfig, Draw

__all__ = ["Speckle", "SpeckleConfig"]

BITS = 0xFFFFFFFF
SPREAD, STIR, STIR_AGAIN = 0x1E3779B1, 0x7FEB352D, 0x31848BAB
"""Odd numbers below 2³¹, so that products with 32 bits fit in 63."""


class SpeckleConfig(AugmentationConfig):
    """How strong the noise is, and how large its grains are."""

    name: Literal["speckle"] = "speckle"
    probability: float = Field(default=0.3, ge=0, le=1)
    """The share of images that it changes."""
    strength: ShareRange = (0.05, 0.25)
    """Least and most standard deviation of the factor that greys are multiplied by."""
    grain: float = Field(default=0.008, gt=0, le=0.1)
    """Standard deviation of a grain along the depth, as a share of the view's height."""
    elongation: float = Field(default=2.0, gt=0, le=10)
    """How many times wider than deep a grain is."""
    flickers: bool = False
    """Whether each frame of a clip has noise of its own; else it stands still."""


class Speckle(Augmentation):
    """Greys times 1 plus smooth Gaussian noise; what is black stays black."""

    Config = SpeckleConfig
    config: SpeckleConfig

    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """`seeds` and `strengths` (B,), the latter 0 where nothing is changed."""
        is_changed = random.random(count) < self.config.probability
        strengths = random.uniform(*self.config.strength, count) * is_changed
        return {
            "seeds": torch.from_numpy(random.integers(0, BITS, count, endpoint=True)),
            "strengths": torch.from_numpy(strengths.astype(np.float32)),
        }

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """The images that are changed, grainier."""
        chosen = draw["strengths"].nonzero().flatten()
        if not len(chosen):
            return images
        places = chosen.to(images.device)
        noise = self._noise(draw["seeds"][chosen].to(images.device), images)
        noise.mul_(per_image(draw["strengths"][chosen], images)).add_(1)
        images[places] = noise.mul(images[places]).clamp_(0, 1)
        return images

    def _noise(self, seeds: Tensor, images: Tensor) -> Tensor:
        """Smooth noise with mean 0 and variance 1, (B, T or 1, H, W)."""
        frames, height, width = images.shape[1:]
        sigma = self.config.grain * height
        down, across = (_kernel(sigma * longer) for longer in (1.0, self.config.elongation))
        size = height + len(down) - 1, width + len(across) - 1
        white = _white(seeds, frames if self.config.flickers else 1, *size)
        return separable(white, _inner(down, height, seeds), _inner(across, width, seeds))


def _kernel(sigma: float) -> Tensor:
    """A Gaussian (K,) that leaves the variance of white noise as it is."""
    reach = math.ceil(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return torch.from_numpy((kernel / np.sqrt((kernel**2).sum())).astype(np.float32))


def _inner(kernel: Tensor, size: int, seeds: Tensor) -> Taps:
    """Taps of a kernel (K,) around each of the `size` rows that are left when none reaches beyond the edge."""
    offsets = torch.arange(len(kernel), device=seeds.device, dtype=torch.int32)
    rows = torch.arange(size, device=seeds.device, dtype=torch.int32)[:, None] + offsets
    weights = kernel.to(seeds.device).expand(len(seeds), size, -1)
    return Taps(rows.expand(len(seeds), -1, -1), weights)


def _white(seeds: Tensor, frames: int, height: int, width: int) -> Tensor:
    """White noise (B, T, H, W) with mean 0 and variance 1: a hash of the seed and of the place."""
    places = torch.arange(frames * height * width, device=seeds.device)
    keys = _stirred(places.mul_(SPREAD) & BITS) ^ _stirred(seeds.clone())[:, None]
    even = _stirred(keys).to(torch.float32).mul_(2.0**-32).sub_(0.5)
    return even.mul_(math.sqrt(12)).view(-1, frames, height, width)


def _stirred(keys: Tensor) -> Tensor:
    """Hashes of 32-bit numbers that are held in 64 bits; they overwrite what is given."""
    for factor in (STIR, STIR_AGAIN):
        keys ^= keys >> 16
        keys *= factor
        keys &= BITS
    keys ^= keys >> 15
    return keys
