"""What a layout is: the way one public data set lies on disk, written clip by clip from synthetic hearts.

In go a number of patients and a seed; out come plans (what every clip will be), files (one clip at a time, in
any process), and tables (all clips together).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

from apical.phantom.clip import PhantomClip
from apical.phantom.patient import Prevalence
from apical.phantom.plan import ClipPlan, Excerpt, Rendering, WrittenClip
from apical.phantom.tables import Row, Tables

__all__ = ["FILE_FAULTS", "TABLE_FAULTS", "TRACE_FAULTS", "Column", "Layout"]

FILE_FAULTS = ("unreadable_file", "truncated_file", "missing_file", "blank")
TABLE_FAULTS = ("text_in_number", "patient_in_two_splits")
TRACE_FAULTS = ("missing_tracings", "trace_past_end", "self_crossing")


class Column(NamedTuple):
    """A column of a table whose rows name their clip: where the planted faults strike."""

    table: str
    """End of the table's path."""
    key: str
    """The column that names the clip's file."""
    value: str

    def rows(self, tables: Tables, plan: ClipPlan) -> Iterator[tuple[list[Row], Row]]:
        """Yield the clip's rows, each with the list that it stands in."""
        for name, rows in tables.items():
            if name.endswith(self.table):
                for row in list(rows):
                    if PurePosixPath(str(row[self.key])).name.split(".")[0] == plan.stem:
                        yield rows, row


class Layout(ABC):
    """One data set's way to lie on disk. The first name in the file's `__all__` is its class."""

    title: ClassVar[str]
    prevalence: ClassVar[Prevalence] = Prevalence()
    splits: ClassVar[Mapping[str, float]] = {}
    """Shares of patients by split; few patients fill the splits in this order first."""
    labels: ClassVar[tuple[str, ...]] = ()
    """Which of the truth's labels the layout's tables tell."""
    faults: ClassVar[tuple[str, ...]] = FILE_FAULTS
    """Kinds of planted faults that can befall this layout."""
    lists_clips: ClassVar[bool] = True
    """Whether a table lists every clip; otherwise only a whole patient can be missed."""
    listing: ClassVar[Column | None] = None
    """Where a clip's split stands."""
    number: ClassVar[Column | None] = None
    """A number that the tables tell of a clip."""
    tracing: ClassVar[Column | None] = None
    """The frame number of a clip's traces."""

    @abstractmethod
    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        """Say what clips there will be, patient after patient."""

    @abstractmethod
    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the files of one clip."""

    @abstractmethod
    def tables(self, clips: Sequence[WrittenClip]) -> Tables:
        """Make the tables of all clips."""

    def excerpt(self, plan: ClipPlan, clip: PhantomClip) -> Excerpt:  # noqa: ARG002  Most keep all
        """Say which part of a rendered clip goes to disk."""
        return Excerpt(0, len(clip.frames), *clip.beats[len(clip.beats) // 2])

    def traces(self, rendering: Rendering) -> list[Row]:  # noqa: ARG002  Layouts without traces have none to make
        """Make the rows of the tracing table for one clip."""
        return []

    def labels_of(self, plan: ClipPlan) -> tuple[str, ...]:  # noqa: ARG002  Most layouts label all clips alike
        """Which labels the tables tell of this clip."""
        return self.labels

    def traced_frames(self, rendering: Rendering) -> tuple[int, ...]:
        """Frames of the file that have a trace on disk."""
        return tuple(
            sorted({int(row["Frame"]) for row in self.traces(rendering) if isinstance(row["Frame"], int)})
        )

    def files(self, plan: ClipPlan) -> tuple[str, ...]:
        """All files that hold the clip's frames, the largest first."""
        return (plan.path,)

    def trace_files(self, plan: ClipPlan) -> tuple[str, ...]:  # noqa: ARG002  Most layouts trace in a table
        """All files that hold the clip's traces."""
        return ()

    def fact_files(self, plan: ClipPlan) -> tuple[str, ...]:  # noqa: ARG002  Most layouts have tables for that
        """Name the files that tell facts about this clip alone."""
        return ()

    def number_cells(self, tables: Tables, plan: ClipPlan) -> Iterator[tuple[Row, str]]:
        """Find the cells, as row and column, that tell a number of the clip."""
        assert self.number is not None
        for _, row in self.number.rows(tables, plan):
            yield row, self.number.value

    def put_in_second_split(self, tables: Tables, plan: ClipPlan) -> None:
        """Make the clip's patient appear in two splits."""
        assert self.listing is not None
        for rows, row in self.listing.rows(tables, plan):
            rows.append({**row, self.listing.value: self.other_split(plan)})

    def other_split(self, plan: ClipPlan) -> str:
        """Name a split that the clip is not in."""
        return next(split for split in self.splits if split != plan.split)
