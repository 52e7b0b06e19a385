"""Crop, flip and rotation in one resampling: frames as stored and their crops come in, views in [0, 1] go out.

A view that is not turned has the weights of an anti-aliased resize of its crop, worked out in whole numbers so that
they are the same on every device; a turned one is sampled at its own places.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from apical.augmentations._taps import Taps, separable
from apical.augmentations.base import Draw

__all__ = ["Interpolation", "Resampling"]

Interpolation = Literal["bilinear", "bicubic"]

REACH = {"bilinear": 1, "bicubic": 2}
"""Pixels on either side that count, where nothing is made smaller."""


class Resampling:
    """One view of each sample, where `crops` says; made part by part, from what is worked out once for all."""

    def __init__(
        self, crops: Draw, height: int, width: int, interpolation: Interpolation, device: torch.device
    ) -> None:
        self.height, self.width, self.interpolation = height, width, interpolation
        self.is_turned, self.warps = crops["turned"], crops["warps"].to(device)
        boxes, flips = crops["boxes"], crops["flips"].to(device)
        self.down = _taps(boxes[:, 0], boxes[:, 2], torch.zeros_like(flips), height, interpolation)
        self.down.weights.div_(255)  # from grey levels to [0, 1] at no cost
        self.across = _taps(boxes[:, 1], boxes[:, 3], flips, width, interpolation)

    def views(self, frames: Tensor, samples: slice) -> Tensor:
        """The views (B, T, h, w), float32 in [0, 1], of these samples' frames (B, T, H, W), uint8."""
        is_turned = self.is_turned[samples]
        if not is_turned.any():
            return self._straight(frames, samples).clamp_(0, 1)
        if is_turned.all():
            return self._turned(frames, samples).clamp_(0, 1)
        made = torch.empty((*frames.shape[:2], self.height, self.width), device=frames.device)
        for way, is_meant in ((self._straight, ~is_turned), (self._turned, is_turned)):
            places = is_meant.nonzero().flatten().to(frames.device)
            if len(places):
                made[places] = way(frames[places], samples.start + places)
        return made.clamp_(0, 1)

    def _straight(self, frames: Tensor, samples: slice | Tensor) -> Tensor:
        down, across = (Taps(taps.rows[samples], taps.weights[samples]) for taps in (self.down, self.across))
        return separable(frames, down, across)

    def _turned(self, frames: Tensor, samples: slice | Tensor) -> Tensor:
        warps = self.warps[samples][:, :, :, None, None]
        y = ((torch.arange(self.height, device=warps.device) * 2 + 1) / self.height - 1)[:, None]
        x = (torch.arange(self.width, device=warps.device) * 2 + 1) / self.width - 1
        # Written out, since a matrix product's bits may depend on the size of the batch.
        grid = torch.empty((len(warps), self.height, self.width, 2), device=warps.device)
        for row in (0, 1):
            torch.add(warps[:, row, 0] * x, warps[:, row, 1] * y + warps[:, row, 2], out=grid[..., row])
        images = frames.to(torch.float32).div_(255)
        return functional.grid_sample(images, grid, mode=self.interpolation, align_corners=False)


def _taps(firsts: Tensor, lengths: Tensor, flips: Tensor, size: int, interpolation: Interpolation) -> Taps:
    """What each of `size` new rows is made of, of the `lengths` rows from `firsts` on; `flips` turns them round.

    New row i has its centre at (2i + 1) · length / (2 · size) and reaches to `reach` old or new rows, whichever
    are larger, on either side.
    """
    device, reach = flips.device, REACH[interpolation]
    count = -(-2 * reach * max(int(lengths.max()), size) // size)
    firsts, lengths = firsts.to(device)[:, None, None], lengths.to(device)[:, None, None]
    places = torch.arange(size, dtype=torch.int32, device=device)
    places = torch.where(flips[:, None], size - 1 - places, places)[:, :, None]
    larger = lengths.clamp(min=size)
    centres = (2 * places + 1) * lengths
    begins = torch.div(centres - 2 * reach * larger + size, 2 * size, rounding_mode="floor").clamp_(min=0)
    rows = begins + torch.arange(count, dtype=torch.int32, device=device)
    weights = _kernel(((2 * rows + 1) * size - centres).abs() / (2 * larger), interpolation)
    weights = weights.mul_(rows < lengths)
    total = weights[:, :, 0].clone()
    for tap in range(1, count):  # in this order whatever the batch, so that the bits are the same
        total += weights[:, :, tap]
    return Taps(firsts + torch.minimum(rows, lengths - 1), weights.div_(total[:, :, None]))


def _kernel(distances: Tensor, interpolation: Interpolation) -> Tensor:
    """How much what lies at a distance counts: a triangle, or Keys' cubic with a = -0.5."""
    if interpolation == "bilinear":
        return (1 - distances).clamp_(min=0)
    near = (1.5 * distances - 2.5) * distances * distances + 1
    far = ((-0.5 * distances + 2.5) * distances - 4) * distances + 2
    return torch.where(distances < 1, near, far.mul_(distances < 2))
