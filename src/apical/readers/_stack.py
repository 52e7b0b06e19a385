"""Frames of unknown number: one grey frame after another comes in, one (T, H, W) array goes out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from apical.errors import ApicalError
from apical.readers._failures import REPLACE
from apical.readers.base import MAX_CLIP_BYTES, Frames

__all__ = ["FrameStack", "refuse_oversize"]

FIRST_ROOM = 256
"""Frames that a claimed number may reserve before any of them is seen."""


def refuse_oversize(name: str, *sizes: int, bytes_per_pixel: int = 1) -> None:
    """Refuse a clip whose header claims no pixels, or more than `MAX_CLIP_BYTES` of them."""
    shape = "×".join(str(size) for size in sizes)
    if min(sizes) < 1:
        raise ApicalError(
            "The header claims a picture without pixels", where=name, seen=shape, remedy=REPLACE
        )
    if math.prod(sizes) * bytes_per_pixel > MAX_CLIP_BYTES:
        raise ApicalError(
            f"The clip is larger than {MAX_CLIP_BYTES // 2**20} MiB once decoded",
            where=name,
            seen=shape,
            remedy="Cut it into shorter clips, or leave the file out",
        )


class FrameStack:
    """A growing stack of equal grey frames that stays below `MAX_CLIP_BYTES`."""

    def __init__(self, name: str, claimed: int | None) -> None:
        self.name = name
        self.count = 0
        self._room = max(1, min(claimed or FIRST_ROOM, FIRST_ROOM))
        self._frames: Frames | None = None

    def append(self, frame: npt.NDArray[np.uint8]) -> None:
        """Copy one frame (H, W) onto the stack."""
        self.next_place(*frame.shape)[:] = frame
        self.count += 1

    def next_place(self, height: int, width: int) -> npt.NDArray[np.uint8]:
        """Where the next frame (H, W) goes; it belongs to the stack once `count` is raised."""
        if self._frames is None:
            refuse_oversize(self.name, height, width)
            self._frames = np.empty((self._room, height, width), np.uint8)
        if (height, width) != self._frames.shape[1:]:
            raise ApicalError(
                f"The picture changes its size at frame {self.count}", where=self.name, remedy=REPLACE
            )
        if self.count == len(self._frames):
            self._grow()
        place: npt.NDArray[np.uint8] = self._frames[self.count]
        return place

    def frames(self) -> Frames:
        """The stack so far: (T, H, W)."""
        if self._frames is None:
            return np.empty((0, 0, 0), np.uint8)
        self._frames.resize((self.count, *self._frames.shape[1:]), refcheck=False)
        return self._frames

    def _grow(self) -> None:
        """Make room in place, so that the clip never lies in memory twice."""
        assert self._frames is not None
        refuse_oversize(self.name, self.count + 1, *self._frames.shape[1:])
        room = min(2 * self.count, MAX_CLIP_BYTES // math.prod(self._frames.shape[1:]))
        self._frames.resize((room, *self._frames.shape[1:]), refcheck=False)
