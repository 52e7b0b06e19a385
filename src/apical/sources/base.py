"""What a source is: a folder on disk comes in, one record a clip goes out, nothing decoded and nothing lost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

__all__ = ["ClipRecord", "Contour", "EchoView", "Fault", "MaskFile", "Source", "Split", "Trace"]

EchoView = Literal["a4c", "a2c", "plax", "psax", "other", "unknown"]
Split = Literal["train", "val", "test", "none"]
Phase = Literal["ed", "es"]
Level = Literal["clip", "trace", "label", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something amiss: what it cost (`clip`, `trace`, `label`, or `note` for nothing) and why.

    `reason` is our own words; it never repeats a value from the file.
    """

    level: Level
    reason: str
    frame: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contour:
    """A traced outline: a closed polygon of (x, y) in pixels of the source's own frames."""

    frame: int
    structure: str
    points: tuple[tuple[float, float], ...]
    phase: Phase | None = None
    """What the source calls this frame. The area decides in the end; see `ingest`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFile:
    """A traced label image: frame `index` of the file at `path`; each structure is a set of its label values."""

    frame: int
    path: Path
    index: int
    structures: Mapping[str, tuple[int, ...]]
    phase: Phase | None = None


Trace = Contour | MaskFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRecord:
    """One clip as its source describes it; paths are relative to the source's folder."""

    clip: str
    """Unique in the data set, safe as a file name."""
    patient: str
    study: str
    files: tuple[Path, ...]
    """The files that hold the frames, in order; empty when the clip is listed but absent."""
    companions: tuple[Path, ...] = ()
    """Files that are read along with `files`, such as the pixels beside an MHD header."""
    echo_view: EchoView = "unknown"
    split: Split = "none"
    is_cine: bool = True
    """Whether the frames follow each other in time; false for stills, and for CAMUS without its sequences."""
    labels: Mapping[str, float | str | None] = field(default_factory=dict)
    """Numbers, or words of a closed vocabulary; never free text."""
    traces: tuple[Trace, ...] = ()
    fps_hz: float | None = None
    spacing_mm: tuple[float, float] | None = None
    """(y, x) of the source's own pixels; the reader's answer is used when this is unknown."""
    stated_frames: int | None = None
    faults: tuple[Fault, ...] = ()
    """A fault of level `clip` excludes the clip."""


class Source(ABC):
    """A data set on disk. The first name in the file's `__all__` is its class; the file name is what users type."""

    title: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    url: ClassVar[str] = ""
    markers: ClassVar[tuple[str, ...]]
    """Glob patterns below the folder; any one present means that this source can read it."""
    labels: ClassVar[tuple[str, ...]] = ()
    """The label columns that this source can give."""
    height: ClassVar[int] = 112
    width: ClassVar[int] = 112
    """The working size: what frames are stored at unless the user says otherwise."""
    fit: ClassVar[Literal["stretch", "pad"]] = "stretch"
    """How another size becomes the working size: both sides stretched, or the shape kept and black added."""
    expected_size: ClassVar[tuple[int, int] | None] = None
    """(height, width) of every frame as released; another size is noted."""
    crops_to_sector: ClassVar[bool] = False
    """Whether frames are screen shots, of which only the sector's bounding box is wanted."""
    is_identifying: ClassVar[bool] = False
    """Whether names, ids and paths may tell who the patient is; if so they are replaced by keyed hashes."""

    @abstractmethod
    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every clip that is listed or present, in a fixed order."""
