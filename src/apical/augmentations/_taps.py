"""New rows from weighted old ones: images and taps come in, images of another height, or smoother ones, go out.

Resampling and blurring are both sums of a few rows and then of a few columns. Every new row is summed by itself, tap
after tap, so that its bits don't depend on the batch around it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Taps", "reflected", "separable"]


class Taps(NamedTuple):
    """What each of R new rows is made of: K rows of the old ones, and their weights; both (B, R, K)."""

    rows: Tensor
    weights: Tensor


def separable(images: Tensor, down: Taps, across: Taps) -> Tensor:
    """Images (B, T, H, W), uint8 or float32, mixed `across` their columns, then `down` their rows: (B, T, h, w)."""
    columns = torch.empty(images.mT.shape, device=images.device).copy_(images.mT)
    return _mixed(_mixed(columns, across).mT, down)


def _mixed(images: Tensor, taps: Taps) -> Tensor:
    """(B, T, H, W) to (B, T, R, W). A bag of embeddings is just that: a weighted sum of rows of a table."""
    batch, frames, height, width = images.shape
    firsts = torch.arange(0, batch * frames * height, height, dtype=torch.int32, device=images.device)
    index = (taps.rows[:, None] + firsts.view(batch, frames, 1, 1)).flatten(0, 2)
    weights = taps.weights[:, None].expand(-1, frames, -1, -1).flatten(0, 2)
    table = images.contiguous().view(-1, width)  # a single image turned over would stay so in a reshape
    mixed = functional.embedding_bag(index, table, per_sample_weights=weights, mode="sum")
    return mixed.view(batch, frames, -1, width)


def reflected(kernels: Tensor, size: int) -> Taps:
    """Taps of kernels (B, K) around each of `size` rows; beyond the edges the image is mirrored."""
    reach = kernels.shape[1] // 2
    centres = torch.arange(size, device=kernels.device, dtype=torch.int32)[:, None]
    rows = centres + torch.arange(-reach, reach + 1, device=kernels.device, dtype=torch.int32)
    period = max(2 * (size - 1), 1)
    rows = rows.remainder(period)
    rows = torch.minimum(rows, period - rows)
    return Taps(rows.expand(len(kernels), -1, -1), kernels[:, None].expand(-1, size, -1))
