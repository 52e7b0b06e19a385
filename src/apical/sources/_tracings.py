"""Tables of traced outlines: rows of coordinates come in, contours and faults of one clip go out."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apical.pixels.contour import crosses_itself
from apical.sources._folders import stem_of
from apical.sources._tables import Table, letters
from apical.sources.base import Contour, Fault

__all__ = ["Outline", "Tracings", "frame_fault", "left_ventricle", "trace_fault"]

Outline = Callable[[Sequence[tuple[float, ...]]], tuple[tuple[float, float], ...]]
"""Makes a closed polygon of a frame's rows; an empty one of too few."""

FURTHEST_PIXEL = 1e5
FURTHEST_FRAME = 100_000
"""Past the end of any clip; numbers without bound would not fit into the dataset's tables."""
MOST_ROWS = 1000
"""More than any hand draws a frame; whether a contour crosses itself costs their number squared."""
UNTRACED = {"nosystolic": "no systolic frame is traced", "nodiastolic": "no diastolic frame is traced"}


@dataclass(slots=True)
class _Drawn:
    """Rows of one frame, number after number: a tuple a row would take five times the memory."""

    numbers: array[float] = field(default_factory=lambda: array("d"))
    is_readable: bool = True


class Tracings:
    """All outlines of a table with the columns FileName, Frame and coordinates, by clip and frame."""

    def __init__(self, path: Path, coordinates: Sequence[str], outline: Outline) -> None:
        self.name, self.outline, self._width = path.name, outline, len(coordinates)
        self.clips: dict[str, dict[str, _Drawn]] = {}
        table = Table(path, ("FileName", "Frame", *coordinates))
        stems: dict[str, str] = {}
        for name, frame, *cells in table.cells():
            if name not in stems:
                stems[name] = stem_of(name)
            drawn = self.clips.setdefault(stems[name], {}).setdefault(frame, _Drawn())
            if table.has_decimal_commas:
                cells = [cell.replace(",", ".") for cell in cells]
            try:
                drawn.numbers.extend(map(float, cells))
            except ValueError:
                drawn.is_readable = False

    def of(self, clip: str, stated_frames: int | None) -> tuple[tuple[Contour, ...], tuple[Fault, ...]]:
        """The left ventricle's contours in a clip, in the order of the table, and what is amiss with them."""
        contours: list[Contour] = []
        faults: list[Fault] = []
        for text, drawn in self.clips.get(clip, {}).items():
            if letters(text) in UNTRACED:
                faults.append(Fault(level="note", reason=UNTRACED[letters(text)]))
                continue
            frame = _frame_number(text)
            reason = frame_fault(frame, stated_frames) or _flaw_of_rows(drawn, self._width)
            points = () if reason else self.outline(self._rows(drawn))
            reason = reason or _flaw_of_shape(points)
            if reason or frame is None:
                faults.append(trace_fault(reason or "", frame))
            else:
                contours.append(Contour(frame=frame, structure="lv", points=points))
        return tuple(contours), tuple(faults)

    def _rows(self, drawn: _Drawn) -> list[tuple[float, ...]]:
        """One tuple a row; an outline that stands there twice, row by row, counts once."""
        rows = list(zip(*[iter(drawn.numbers)] * self._width, strict=True))
        half = len(rows) // 2
        return rows[:half] if half > 2 and rows[:half] == rows[half:] else rows


def left_ventricle(
    tracings: Tracings | None, clip: str, stated_frames: int | None
) -> tuple[tuple[Contour, ...], tuple[Fault, ...]]:
    """The contours of a clip that should have two, and what is amiss with them."""
    if tracings is None:
        return (), (Fault(level="trace", reason="there is no table of tracings"),)
    if clip not in tracings.clips:
        return (), (Fault(level="trace", reason=f"no frame is traced in {tracings.name}"),)
    contours, faults = tracings.of(clip, stated_frames)
    if len(contours) == 1 and not faults:
        faults = (Fault(level="note", reason="only one frame is traced", frame=contours[0].frame),)
    return contours, faults


def frame_fault(frame: int | None, stated_frames: int | None) -> str | None:
    """Why nothing can be traced in `frame`, counted from 0, of a clip that is said to be that long."""
    if frame is None:
        return "the traced frame is not a whole number"
    if frame < 0:
        return "the traced frame is before the first"
    if frame >= (FURTHEST_FRAME if stated_frames is None else stated_frames):
        return "the traced frame is past the clip's end"
    return None


def trace_fault(reason: str, frame: int | None) -> Fault:
    """A fault that costs a trace, with its frame if a clip can have one of that number."""
    is_possible = frame is not None and abs(frame) < FURTHEST_FRAME
    return Fault(level="trace", reason=reason, frame=frame if is_possible else None)


def _frame_number(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _flaw_of_rows(drawn: _Drawn, width: int) -> str | None:
    if not drawn.is_readable:
        return "a coordinate is not a number"
    if not all(abs(number) <= FURTHEST_PIXEL for number in drawn.numbers):
        return "a coordinate is far outside any image"
    if len(drawn.numbers) > MOST_ROWS * width:
        return f"the outline has more than {MOST_ROWS} rows"
    return None


def _flaw_of_shape(points: tuple[tuple[float, float], ...]) -> str | None:
    if not points:
        return "the outline has too few rows"
    return "the outline crosses itself" if crosses_itself(points) else None
