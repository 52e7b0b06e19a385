"""A batch: augmented views of frames or clips, which ones they are, and whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """Views by group, such as `pair`, or `wide` and `local`; all tensors are on the training device."""

    views: Mapping[str, Sequence[Tensor]]
    """One tensor a view: images (B, 1, H, W) or clips (B, 1, T, H, W), float32 in [0, 1]."""
    warps: Mapping[str, Sequence[Tensor]]
    """(B, 2, 3) a view: takes a place (x, y, 1) in the view, from -1 to 1, to its place in the source frame."""
    patients: Tensor
    """(B,) a number for each sample's patient."""
    studies: Tensor
    """(B,) a number for each sample's study."""
    clips: Tensor
    """(B,) the row of each sample's first clip, on the CPU."""
    frames: Tensor
    """(B,) the first frame of each sample, on the CPU."""

    def __len__(self) -> int:
        return len(self.patients)
