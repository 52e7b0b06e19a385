"""A synthetic clip: a patient and an acquisition come in, frames and everything true about them go out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apical.phantom.acoustics import Receiver, grey_table
from apical.phantom.acquisition import Acquisition
from apical.phantom.anatomy.base import Anatomy, Scatterers
from apical.phantom.beams import PHASES, Beams
from apical.phantom.cycle import Cycle, draw_cycle
from apical.phantom.patient import Patient
from apical.phantom.scan import ScanConverter, inside
from apical.phantom.styles import style_named
from apical.registry import load

__all__ = ["PhantomClip", "render_clip"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

FRAMES_AT_ONCE = 8
"""Enough to spare overhead, few enough to stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomClip:
    """Frames and truth of one clip."""

    patient: Patient
    acquisition: Acquisition
    anatomy: Anatomy
    frames: npt.NDArray[np.uint8]
    """(T, H, W)."""
    times_s: Array
    """(T,)."""
    sector: Mask
    """(H, W): the pixels of the fan."""
    volumes_ml: Array
    """(T,): the left ventricle's true volume."""
    beats: tuple[tuple[int, int], ...]
    """(ED frame, ES frame) of each beat inside the clip."""

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """(y, x) size of a pixel."""
        return self.acquisition.fan.spacing_mm

    def contours(self, frame: int) -> dict[str, Array]:
        """Outline each structure in view, closed: (P, 2), x and y in pixels."""
        outlines = self.anatomy.contours(float(self.times_s[frame]))
        return {name: self._to_pixels(points) for name, points in outlines.items()}

    def masks(self, frame: int) -> dict[str, Mask]:
        """Sample the true areas (H, W) at pixel centres; `myo` is what lies between `epi` and `lv`."""
        areas = {name: inside(points, self.sector.shape) for name, points in self.contours(frame).items()}
        if "epi" in areas:
            areas["myo"] = areas.pop("epi") & ~areas["lv"]
        return areas

    def long_axis_and_chords(self, frame: int) -> Array:
        """(21, 4): x1, y1, x2, y2 in pixels; the long axis, then twenty chords across it."""
        return self._lines_to_pixels(self.anatomy.long_axis_and_chords(float(self.times_s[frame])))

    def calipers(self, frame: int) -> dict[str, Array]:
        """Measured distances by name: (4,), x1, y1, x2, y2 in pixels."""
        lines = self.anatomy.calipers(float(self.times_s[frame]))
        return {name: self._lines_to_pixels(line) for name, line in lines.items()}

    def _to_pixels(self, points_mm: Array) -> Array:
        return self.acquisition.fan.to_pixels(self.acquisition.pose.place(points_mm))

    def _lines_to_pixels(self, lines_mm: Array) -> Array:
        return self._to_pixels(lines_mm.reshape(-1, 2)).reshape(lines_mm.shape)


def render_clip(patient: Patient, acquisition: Acquisition) -> PhantomClip:
    """Render one clip: a pure function of the patient and the acquisition."""
    times_s = np.arange(acquisition.num_frames) / acquisition.fps_hz
    cycle = draw_cycle(patient, acquisition.clip, float(times_s[-1]))
    anatomy: Anatomy = load("phantom.anatomy", acquisition.echo_view)(patient, cycle, acquisition.clip)
    converter = ScanConverter(acquisition.fan, acquisition.grid)
    return PhantomClip(
        patient=patient,
        acquisition=acquisition,
        anatomy=anatomy,
        frames=_record(patient, acquisition, anatomy, times_s, converter),
        times_s=times_s,
        sector=converter.sector,
        volumes_ml=cycle.volume_ml(times_s),
        beats=_beat_frames(cycle, acquisition.fps_hz),
    )


def _record(
    patient: Patient,
    acquisition: Acquisition,
    anatomy: Anatomy,
    times_s: Array,
    converter: ScanConverter,
) -> npt.NDArray[np.uint8]:
    """Frames (T, H, W), a few at a time."""
    draw = patient.generator("acoustics", acquisition.clip)
    style, conditions = style_named(acquisition.style), acquisition.conditions
    beams = Beams(acquisition.grid, acquisition.pose, style, conditions.dropout_power)
    greys = grey_table(style)
    frames = np.empty((len(times_s), acquisition.height, acquisition.width), np.uint8)
    receiver: Receiver | None = None
    for start in range(0, len(times_s), FRAMES_AT_ONCE):
        shot = slice(start, start + FRAMES_AT_ONCE)
        tissue = anatomy.scatterers(times_s[shot])
        echo = beams.hear(*tissue, _phases(patient, acquisition, tissue))
        receiver = receiver or Receiver(beams, style, conditions, draw, echo)
        frames[shot] = converter.convert(receiver.receive(echo), greys)
    return frames


def _phases(patient: Patient, acquisition: Acquisition, tissue: Scatterers) -> npt.NDArray[np.int32]:
    """Give each scatterer a phase that it keeps through the clip: (N,)."""
    draw = patient.generator("phases", acquisition.clip)
    return draw.integers(PHASES, size=(len(tissue.amplitude),), dtype=np.int32)


def _beat_frames(cycle: Cycle, fps_hz: float) -> tuple[tuple[int, int], ...]:
    """Find the frames nearest to each beat's end-diastole and end-systole."""
    return tuple((round(beat.ed_s * fps_hz), round(beat.es_s * fps_hz)) for beat in cycle.beats)
