"""Splits of one's own: clip records and a CSV file come in; the same records in the file's splits go out."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from apical.errors import ApicalError, nearest
from apical.sources.base import ClipRecord, Fault, Split

__all__ = ["with_splits"]

COLUMNS = ("clip", "split")
SPLITS: tuple[Split, ...] = ("train", "val", "test", "none")
Lines = Mapping[int, tuple[str, Split]]
"""A clip's name and its split by the number of the line that says so."""


def with_splits(records: Sequence[ClipRecord], names: Sequence[str], path: Path) -> list[ClipRecord]:
    """The records in the splits of the file at `path`, which calls them by the source's `names` or by their own.

    A clip that the file lacks goes with its patient if that stands in one of the file's splits alone; else it has none.
    """
    places = {record.clip: place for place, record in enumerate(records)}
    places |= {name: place for place, name in enumerate(names)}
    chosen = _chosen(_lines(path), places, path)
    of_patient: dict[str, set[Split]] = defaultdict(set)
    for place, split in chosen.items():
        of_patient[records[place].patient].add(split)
    return [
        replace(record, split=chosen[place]) if place in chosen else _unlisted(record, of_patient)
        for place, record in enumerate(records)
    ]


def _chosen(lines: Lines, places: Mapping[str, int], path: Path) -> dict[int, Split]:
    """The split of each clip that the file names, by the clip's place."""
    chosen: dict[int, Split] = {}
    for number, (name, split) in lines.items():
        place = places.get(name)
        if place is None:
            raise ApicalError(
                "This line names a clip that the data set does not have",
                where=f"{path}, line {number}",
                remedy="Call clips as clips.parquet does, as a rule by the file's name without its ending.",
            )
        if chosen.setdefault(place, split) != split:
            raise ApicalError(
                "This line puts a clip into another split than a line above it",
                where=f"{path}, line {number}",
                remedy="Name each clip once.",
            )
    return chosen


def _unlisted(record: ClipRecord, of_patient: Mapping[str, set[Split]]) -> ClipRecord:
    splits = of_patient.get(record.patient, set())
    split: Split = next(iter(splits)) if len(splits) == 1 else "none"
    fate = "goes with its patient" if len(splits) == 1 else "has none"
    note = Fault(level="note", reason=f"not in the file of splits, so it {fate}")
    return replace(record, split=split, faults=(*record.faults, note))


def _lines(path: Path) -> Lines:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return dict(_parsed(file.readlines(), path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ApicalError(
            "The file of splits can't be read",
            where=str(path),
            seen=type(error).__name__,
            remedy="Name a CSV file in UTF-8 with the columns clip and split.",
        ) from None


def _parsed(lines: Sequence[str], path: Path) -> Iterator[tuple[int, tuple[str, Split]]]:
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    rows = csv.reader(lines, delimiter=delimiter)
    header = [cell.strip().lower() for cell in next(rows, [])]
    if not set(COLUMNS) <= set(header):
        raise ApicalError(
            "The file of splits lacks the columns clip and split",
            where=f"{path}, line 1",
            remedy="Begin it with the line: clip,split",
        )
    columns = [header.index(name) for name in COLUMNS]
    for row in rows:
        if any(map(str.strip, row)):
            clip, word = (row[column].strip() if column < len(row) else "" for column in columns)
            yield rows.line_num, (clip, _split(word, f"{path}, line {rows.line_num}"))


def _split(word: str, where: str) -> Split:
    found = next((split for split in SPLITS if split == word.lower()), None)
    if found is None:
        raise ApicalError("This line has no split that is known", where=where, remedy=nearest("", SPLITS))
    return found
