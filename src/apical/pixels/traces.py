"""What experts traced: contours and label images of a clip come in, rows of run-length masks go out.

End-diastole and end-systole are told by area, never by their order in a file: of the frames that were traced for
them, the one with the larger left ventricle is end-diastole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from apical import runlength
from apical.errors import ApicalError
from apical.pixels.contour import rasterise
from apical.pixels.fit import Fit
from apical.readers import reader_for
from apical.readers.base import Frames
from apical.sources.base import ClipRecord, Contour, Fault, MaskFile, Phase

__all__ = ["trace_rows"]

Mask = npt.NDArray[np.bool_]
MAIN_STRUCTURE = "lv"
"""The structure whose area tells the phase."""


@dataclass(frozen=True, slots=True)
class _Traced:
    """One structure in one frame, at the source's size and at the stored size."""

    frame: int
    structure: str
    named_phase: Phase | None
    at_source: Mask
    stored: Mask


def trace_rows(
    folder: Path, record: ClipRecord, fit: Fit, num_frames: int
) -> tuple[tuple[dict[str, Any], ...], tuple[Fault, ...]]:
    """Rows of the traces that hold, and faults of those that don't."""
    traced: list[_Traced] = []
    faults: list[Fault] = []
    label_files = _LabelFiles(folder)
    for trace in record.traces:
        try:
            _check_frame(trace.frame, num_frames)
            traced += [_contour(trace, fit)] if isinstance(trace, Contour) else label_files.masks(trace, fit)
        except ApicalError as error:
            faults.append(Fault(level="trace", reason=error.what, frame=trace.frame))
    phases, phase_faults = _phases(traced)
    rows = tuple(_row(record.clip, each, phases.get(each.frame), fit) for each in traced)
    return rows, (*faults, *phase_faults)


def _check_frame(frame: int, num_frames: int) -> None:
    if not 0 <= frame < num_frames:
        raise ApicalError(
            f"frame {frame} is traced, but the clip's frames are 0 to {num_frames - 1}",
            remedy="Check the frame numbers of the traces.",
        )


def _contour(trace: Contour, fit: Fit) -> _Traced:
    points = np.asarray(trace.points, dtype=np.float64)
    at_source = rasterise(points, fit.source_height, fit.source_width)
    stored = at_source
    if not fit.is_identity:
        stored = rasterise(fit.points(points), fit.stored_height, fit.stored_width)
    if not stored.any():
        raise ApicalError(f"the contour of {trace.structure} has no area", remedy="Trace it again.")
    return _Traced(trace.frame, trace.structure, trace.phase, at_source, stored)


class _LabelFiles:
    """Label images, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, Frames] = {}

    def masks(self, trace: MaskFile, fit: Fit) -> Iterable[_Traced]:
        labels = self._labels(trace, fit)
        found = {structure: np.isin(labels, values) for structure, values in trace.structures.items()}
        if not any(mask.any() for mask in found.values()):
            raise ApicalError("the label image holds none of the structures", remedy="Trace it again.")
        for structure, at_source in found.items():
            stored = fit.labels(at_source)
            if stored.any():
                yield _Traced(trace.frame, structure, trace.phase, at_source, stored)

    def _labels(self, trace: MaskFile, fit: Fit) -> npt.NDArray[np.uint8]:
        path = self.folder / trace.path
        if trace.path not in self._read:
            if not path.is_file():
                raise ApicalError("the file with the masks is missing", remedy="Fetch it again.")
            self._read[trace.path] = reader_for(path).read_labels(path)
        labels = self._read[trace.path]
        if trace.index >= len(labels):
            raise ApicalError(
                "the file with the masks has fewer frames than the clip", remedy="Fetch it again."
            )
        if labels.shape[1:] != (fit.source_height, fit.source_width):
            raise ApicalError(
                "the masks are not as large as the frames", remedy="Check that both belong together."
            )
        frame: npt.NDArray[np.uint8] = labels[trace.index]
        return frame


def _phases(traced: list[_Traced]) -> tuple[dict[int, Phase], tuple[Fault, ...]]:
    """Which frame is end-diastole and which end-systole, and a note where the source says otherwise."""
    areas = {each.frame: int(each.at_source.sum()) for each in traced if each.structure == MAIN_STRUCTURE}
    named = {each.frame: each.named_phase for each in traced if each.named_phase and each.frame in areas}
    candidates = {frame: area for frame, area in areas.items() if frame in named or len(named) < 2}
    if len(candidates) < 2:
        return {frame: phase for frame, phase in named.items() if phase}, ()
    end_diastole = max(candidates, key=lambda frame: (candidates[frame], -frame))
    end_systole = min(candidates, key=lambda frame: (candidates[frame], -frame))
    if named.get(end_diastole) == "es" or named.get(end_systole) == "ed":
        reason = "the source calls the frame with the smaller left ventricle end-diastole; the area decides"
        return {end_diastole: "ed", end_systole: "es"}, (
            Fault(level="note", reason=reason, frame=end_diastole),
        )
    return {end_diastole: "ed", end_systole: "es"}, ()


def _row(clip: str, traced: _Traced, phase: Phase | None, fit: Fit) -> dict[str, Any]:
    return {
        "clip": clip,
        "frame": traced.frame,
        "phase": phase,
        "structure": traced.structure,
        "runs": runlength.encode(traced.stored),
        "source_runs": None if fit.is_identity else runlength.encode(traced.at_source),
        "source_height": fit.source_height,
        "source_width": fit.source_width,
    }
