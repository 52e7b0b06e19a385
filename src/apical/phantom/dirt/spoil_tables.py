"""Faults in tables: tables and a clip come in, the tables are spoilt, and what was planted goes out."""

from __future__ import annotations

from collections.abc import Callable

from apical.phantom.dirt.planting import COSTS, Planted
from apical.phantom.layouts.base import Layout
from apical.phantom.plan import WrittenClip
from apical.phantom.tables import Row, Tables

__all__ = ["WORDS", "spoil_tables"]

WORDS = "see Dr Fabricate's letter"
"""Stands where a number belongs; reads like a name, so that it can be looked for in messages."""
FRAMES_PAST_END = 7


def spoil_tables(layout: Layout, tables: Tables, clip: WrittenClip) -> Planted:
    """Plant the clip's fault, if it is one of tables."""
    kind = clip.plan.fault
    assert kind is not None
    frame = _SPOILERS[kind](layout, tables, clip) if kind in _SPOILERS else None
    return Planted(kind, clip.plan.path, clip.plan.patient, frame, COSTS[kind])


def _remove_traces(layout: Layout, tables: Tables, clip: WrittenClip) -> None:
    if layout.tracing is not None:
        for rows, row in layout.tracing.rows(tables, clip.plan):
            rows.remove(row)


def _move_past_end(layout: Layout, tables: Tables, clip: WrittenClip) -> int:
    beyond = clip.num_frames + FRAMES_PAST_END
    for row in _rows_of_last_frame(layout, tables, clip):
        row["Frame"] = beyond
    return beyond


def _cross_itself(layout: Layout, tables: Tables, clip: WrittenClip) -> int:
    """Tie one frame's outline into a bow: half of its chords, or of its points, run the other way."""
    rows = _rows_of_last_frame(layout, tables, clip)
    half = rows[len(rows) // 2 :]
    if "X1" in half[0]:
        for row in half:
            row.update(X1=row["X2"], Y1=row["Y2"], X2=row["X1"], Y2=row["Y1"])
    else:
        for row, other in zip(half, [dict(row) for row in reversed(half)], strict=True):
            row.update(other)
    return int(rows[0]["Frame"])


def _write_words(layout: Layout, tables: Tables, clip: WrittenClip) -> None:
    row, column = next(layout.number_cells(tables, clip.plan))
    row[column] = WORDS


def _split_twice(layout: Layout, tables: Tables, clip: WrittenClip) -> None:
    layout.put_in_second_split(tables, clip.plan)


def _rows_of_last_frame(layout: Layout, tables: Tables, clip: WrittenClip) -> list[Row]:
    assert layout.tracing is not None
    rows = [row for _, row in layout.tracing.rows(tables, clip.plan)]
    last = max(row["Frame"] for row in rows)
    return [row for row in rows if row["Frame"] == last]


_SPOILERS: dict[str, Callable[[Layout, Tables, WrittenClip], int | None]] = {
    "missing_tracings": _remove_traces,
    "trace_past_end": _move_past_end,
    "self_crossing": _cross_itself,
    "text_in_number": _write_words,
    "patient_in_two_splits": _split_twice,
}
