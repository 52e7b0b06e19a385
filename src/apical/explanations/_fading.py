"""Fading: clips come in; what is left of them where details and motion are taken away goes out."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["as_clips", "faded", "like"]


def as_clips(images: Tensor) -> Tensor:
    """Images (B, 1, H, W) as clips (B, 1, 1, H, W) of one frame; clips as they are."""
    return images if images.ndim == 5 else images[:, :, None]


def like(clips: Tensor, images: Tensor) -> Tensor:
    """Clips as images, where `images` are; else as they are."""
    return clips if images.ndim == 5 else clips[:, :, 0]


def faded(clips: Tensor, reach: float) -> Tensor:
    """(B, 1, 1, H, W): the mean grey of all frames of clips (B, 1, T, H, W) around each pixel.

    `reach` is how far around, as a share of the shorter side.
    """
    far = max(1, round(reach * min(clips.shape[-2:])))
    still = clips.mean(dim=2)
    means = functional.avg_pool2d(still, 2 * far + 1, stride=1, padding=far, count_include_pad=False)
    return means[:, :, None]
