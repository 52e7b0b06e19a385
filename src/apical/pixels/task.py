"""What a worker is asked for and what it answers: a clip's record in, its frames and rows out.

Kept apart from the work itself, so that the process that hands out tasks loads no decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from apical.journal import FrameBytes
from apical.sources.base import ClipRecord, Fault

__all__ = ["Prepared", "Settings", "Task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How every clip of a dataset is prepared."""

    height: int
    width: int
    fit: Literal["stretch", "pad"]
    crops_to_sector: bool
    blanks_outside_sector: bool
    must_find_sector: bool
    """Whether a clip without a sector is left out: the text beside it could not be told from tissue."""
    expected_size: tuple[int, int] | None
    """(height, width) of every frame of the source as released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A clip to prepare."""

    folder: Path
    record: ClipRecord
    settings: Settings
    frames_path: Path
    """Where the worker leaves the frames: a file moves between processes at less cost than an array."""
    thumbnails: Path | None = None
    """Where pictures from before and after blanking go, if wanted."""

    def run(self) -> Prepared:
        """Prepare the clip."""
        from apical.pixels.prepare import prepare

        return prepare(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A clip as it enters the dataset; without frames when it is excluded."""

    frames: FrameBytes | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    traces: tuple[Mapping[str, Any], ...] = ()
    faults: tuple[Fault, ...] = ()
    audit: Mapping[str, Any] | None = None
