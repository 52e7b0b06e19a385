"""What an example shows: one frame or, for tasks that look at motion, a clip of several that begins there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from torch import Tensor

from apical.frames import FrameStore
from apical.sampling.clips import frames_from

__all__ = ["Look", "images_of"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Look:
    """How clips are cut from videos."""

    frames: int
    """Frames of a clip."""
    stride: int
    """How many frames on each next one lies, where the video is long enough."""
    videos: int = 1
    """How many videos of a study are learnt from together."""

    def frames_at(self, first: Integers, lengths: Integers) -> Integers:
        """(N, T): frames of clips that begin with the frames `first` (N,) of videos of these lengths (N,)."""
        return frames_from(first, lengths, self.frames, self.stride)


def images_of(
    store: FrameStore, examples: pl.DataFrame, look: Look | None, size: int | tuple[int, int]
) -> Tensor:
    """Images (B, 1, H, W), or clips (B, 1, T, H, W), of examples, rows (row, frame) of the clips of a store."""
    rows, first = (examples[name].to_numpy().astype(np.int64) for name in ("row", "frame"))
    frames = first if look is None else look.frames_at(first, store.num_frames[rows])
    return store.plain_images(rows, frames, size)
