"""What passes between the steps of writing a layout: plans of clips, their renderings, and what was written.

A plan comes before anything is rendered; a rendering lives in one worker; a written clip goes back to the parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apical.phantom.clip import PhantomClip
from apical.phantom.patient import Patient
from apical.phantom.tables import Row

__all__ = ["ClipPlan", "Excerpt", "Rendering", "WrittenClip"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan:
    """What one clip will be, before anything is rendered."""

    path: str
    """Its file below the layout's folder, with slashes; of several the one with the most frames."""
    index: int
    """Number of the synthetic patient."""
    clip: int
    """Number among the patient's clips."""
    patient: str
    """The patient's name in this layout."""
    study: str
    echo_view: str
    """As the truth calls it; `rendered_as` says what to render where that is no plane of the phantom."""
    rendered_as: str | None = None
    split: str = "none"
    """As the layout spells it."""
    height: int = 112
    width: int = 112
    beats: float | None = None
    """How many heart beats long; drawn when unknown. Zero is a still."""
    fps_hz: float | None = None
    is_screen: bool = False
    """Whether the fan leaves room for the machine's marks."""
    quirk: str | None = None
    """An oddity that the real set has in places and that is no fault."""
    fault: str | None = None
    """What is planted on it."""

    @property
    def stem(self) -> str:
        """The file's name without folders and endings."""
        return PurePosixPath(self.path).name.split(".")[0]


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A rendered clip and the part of it that goes to disk: frames `start` to `stop`, one past the end."""

    plan: ClipPlan
    patient: Patient
    clip: PhantomClip
    start: int
    stop: int
    ed: int | None
    """End-diastole, counted from `start`; None for a still."""
    es: int | None

    @property
    def fps_hz(self) -> float:
        """Frames a second, to the precision that tables have."""
        return round(self.clip.acquisition.fps_hz, 3)

    @cached_property
    def frames(self) -> Pixels:
        """What the file shows: (T, H, W); all black where that is the planted fault."""
        frames = self.clip.frames[self.start : self.stop]
        return np.zeros_like(frames) if self.plan.fault == "blank" else frames

    @property
    def phases(self) -> tuple[tuple[str, int], ...]:
        """ED and ES with their frames in the file, in time order."""
        frames = (("ed", self.ed), ("es", self.es))
        return tuple(
            sorted(((phase, at) for phase, at in frames if at is not None), key=lambda phase: phase[1])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenClip:
    """What is known of a clip once its files are written; crosses from a worker to the parent."""

    plan: ClipPlan
    patient: Patient
    fps_hz: float
    num_frames: int
    ed: int | None
    es: int | None
    traces: tuple[Row, ...]
    truth: Row
    masks: tuple[Row, ...]


class Excerpt(NamedTuple):
    """Frames `start` to `stop`, one past the end, of a rendered clip, and the ED and ES of a beat in it."""

    start: int
    stop: int
    ed: int | None
    es: int | None
