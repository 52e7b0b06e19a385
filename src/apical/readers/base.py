"""What a reader is: a file on disk comes in, grey 8-bit frames and what the file says of itself go out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from apical.errors import ApicalError

__all__ = ["Box", "Frames", "Reader", "Recording", "TagAudit"]

Frames = npt.NDArray[np.uint8]
"""(T, H, W), grey, top of the image first."""

MAX_CLIP_BYTES = 768 * 2**20
"""Decoded size beyond which a clip is refused: a header can claim anything."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels; `bottom` and `right` are one past the end."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TagAudit:
    """What became of a file's header: names of tags only, never their values."""

    kept: tuple[str, ...]
    """Keywords whose values were read and used."""
    hashed: tuple[str, ...]
    """Keywords whose values were replaced by keyed hashes."""
    matched: tuple[str, ...]
    """Keywords whose values were compared with known words; only which word it was is kept."""
    dropped: int
    """How many other elements the file had; none of them was read."""
    burned_in: str
    """What the file says of text in its pixels: `yes`, `no` or `not stated`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A decoded file."""

    frames: Frames
    fps_hz: float | None = None
    spacing_mm: tuple[float, float] | None = None
    """(y, x), positive."""
    region: Box | None = None
    """The part of the image that holds tissue, where the file says so and it makes sense."""
    stated_frames: int | None = None
    """How many frames the header claims."""
    notes: tuple[str, ...] = ()
    """What was odd but could be mended, in our own words."""
    audit: TagAudit | None = None


class Reader(ABC):
    """A file format. The first name in the file's `__all__` is its class."""

    suffixes: ClassVar[tuple[str, ...]]
    """Lower-case endings, `.gz` included where it belongs; `""` means files without an ending, told by content."""

    @abstractmethod
    def read(self, path: Path) -> Recording:
        """Decode the whole file; an `ApicalError` says why it can't be."""

    def read_labels(self, path: Path) -> Frames:
        """Decode a label image, values untouched: (T, H, W)."""
        raise ApicalError(
            "This format can't hold a label image",
            where=path.name,
            remedy="Give the labels as NIfTI, MHD or PNG.",
        )
