"""Who is listed and who is there: a table's rows and a folder's files come in, one entry a clip goes out.

Nothing gets lost on the way: what is listed twice, listed but absent, there but not listed, or in two splits,
comes out with a fault that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from apical.errors import ApicalError
from apical.sources._names import ClipNames
from apical.sources._tables import Row
from apical.sources.base import ClipRecord, Fault, Split

__all__ = ["SPLITS", "Entry", "Present", "Roster", "in_every_split", "split_in"]

Value = float | str | None

SAME_NAME = "another file has the same name, and that one is used"
SPLITS: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def split_in(row: Row, column: str) -> Split:
    """The split that a cell names; none, and a fault, for any other word."""
    return row.word(column, SPLITS) or "none"


@dataclass(slots=True)
class Entry:
    """What the tables say of one clip."""

    values: dict[str, Value] = field(default_factory=dict)
    splits: list[Split] = field(default_factory=list)
    """More than one where the rows disagree."""
    faults: list[Fault] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)

    @property
    def split(self) -> Split:
        """The first split that its rows name."""
        return next((split for split in self.splits if split != "none"), "none")

    def number(self, name: str) -> float | None:
        """A value that is a number."""
        value = self.values.get(name)
        return value if isinstance(value, float) else None

    def whole(self, name: str) -> int | None:
        """A value that is a whole number."""
        number = self.number(name)
        return None if number is None else int(number)

    def note(self, faults: Iterable[Fault]) -> None:
        """Keep faults that are new."""
        self.faults += [fault for fault in faults if fault not in self.faults]

    def merge(self, values: Mapping[str, Value]) -> None:
        """Take in a row's values; one that differs from an earlier row's becomes unknown for good."""
        for name, value in values.items():
            held = self.values.get(name)
            conflict = Fault(level="label", reason=f"{name} differs between its rows")
            if held is None and conflict not in self.faults:
                self.values[name] = value
            elif value is not None and held is not None and value != held:
                self.values[name] = None
                self.note([conflict])


class Roster:
    """Clips as tables list them; rows of one clip are merged, and what they disagree on becomes unknown."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def add(
        self,
        key: str,
        values: Mapping[str, Value],
        split: Split,
        faults: Iterable[Fault],
        table: str | None = None,
    ) -> None:
        """Take in a row; give the table's name if it should have one row a clip."""
        entry = self.entries.setdefault(key, Entry())
        entry.merge(values)
        if split not in entry.splits:
            entry.splits.append(split)
        entry.note(faults)
        if table in entry.tables:
            entry.note([Fault(level="note", reason=f"listed more than once in {table}")])
        if table is not None:
            entry.tables.add(table)

    def refuse_empty(self, where: Path) -> None:
        """Say so where nothing is listed at all: then the table at `where` is not what it should be."""
        if not self.entries:
            raise ApicalError("The table lists nothing", where=str(where), remedy="Fetch it again.")

    def call(
        self,
        files: Mapping[str, list[Path]],
        table: str,
        traced: Iterable[str] = (),
        *,
        keeps_unlisted: bool = False,
    ) -> Iterator[Present]:
        """Each clip that is listed, there or traced, sorted by name."""
        for key in sorted({*self.entries, *files, *traced}):
            entry, paths = self.entries.get(key), files.get(key, [])
            is_welcome = keeps_unlisted and bool(paths)
            faults = () if is_welcome else _presence(entry is not None, bool(paths), table)
            yield Present(key, entry or Entry(), tuple(paths[:1]), faults)
            for path in paths[1:]:
                twin = Entry(splits=[entry.split] if entry else [])
                yield Present(key, twin, (path,), (Fault(level="clip", reason=SAME_NAME),))

    def patient_splits(self, patient_of: Callable[[str], str]) -> dict[str, Split]:
        """The split of each patient of whom a clip has one."""
        splits: dict[str, Split] = {}
        for key, entry in self.entries.items():
            for split in entry.splits:
                if split != "none":
                    splits.setdefault(patient_of(key), split)
        return splits


@dataclass(frozen=True, slots=True)
class Present:
    """A clip at the roll call."""

    key: str
    entry: Entry
    files: tuple[Path, ...]
    presence_faults: tuple[Fault, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What was amiss with its files and rows."""
        return (*self.presence_faults, *self.entry.faults)

    def split(self, known: Mapping[str, Split], patient: str) -> Split:
        """The split of its rows, or else of its patient."""
        own = self.entry.split
        return known.get(patient, "none") if own == "none" else own


def in_every_split(record: ClipRecord, splits: Iterable[Split], names: ClipNames) -> Iterator[ClipRecord]:
    """The record, and an empty one for each further split that lists it, so that nobody overlooks it."""
    yield record
    for split in splits:
        if split not in (record.split, "none"):
            reason = "listed in another split too; this row stands for the second listing"
            yield replace(
                record,
                clip=names.unique(record.clip),
                split=split,
                files=(),
                traces=(),
                faults=(Fault(level="clip", reason=reason),),
            )


def _presence(is_listed: bool, is_there: bool, table: str) -> tuple[Fault, ...]:
    if is_listed and is_there:
        return ()
    if is_listed:
        reason = f"listed in {table}, but there is no such file"
    elif is_there:
        reason = f"on disk, but not listed in {table}"
    else:
        reason = f"traced, but neither listed in {table} nor on disk"
    return (Fault(level="clip", reason=reason),)
