"""Smooth shapes over an image: places and random knots come in, curves and ramps go out.

Only sums, products and quotients, which are rounded alike wherever a number lies in a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["centres", "curve", "per_image", "ramp"]


def centres(size: int, device: torch.device) -> Tensor:
    """Where each of `size` pixels lies, from 0 to 1 over their outer edges: (size,)."""
    return (torch.arange(size, device=device) + 0.5) / size


def ramp(values: Tensor) -> Tensor:
    """A smooth rise from 0 at 0 and below to 1 at 1 and above."""
    values = values.clamp(0, 1)
    return values * values * (3 - 2 * values)


def curve(knots: Tensor, size: int) -> Tensor:
    """Smooth curves (B, size, ...) through evenly spaced knots (B, K, ...), of which the outer lie at the ends."""
    places = centres(size, knots.device) * (knots.shape[1] - 1)
    before = places.floor().long()
    share = ramp(places - before).view(-1, *[1] * (knots.ndim - 2))
    return knots.index_select(1, before).mul_(1 - share).add_(knots.index_select(1, before + 1).mul_(share))


def per_image(values: Tensor, images: Tensor) -> Tensor:
    """Parameters (B,), or (B, K) and so on, on the images' device, with axes for T, H and W: (B, ..., 1, 1, 1)."""
    return values.to(images.device)[..., None, None, None]
