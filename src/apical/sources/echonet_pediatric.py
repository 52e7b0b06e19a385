"""EchoNet-Pediatric: a folder an echo view with two tables and Videos/*.avi comes in, clips go out.

Folds 0 to 7 are for training, 8 for validation, 9 for testing. An outline is given as points in order. A name
such as CR1-CR2-000039 names the patient and the study first; of any other name the whole is the patient. A
clip that no table lists takes its patient's split.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Sequence
from pathlib import Path

from apical.sources._folders import by_stem, files_below, find_table, refuse, stem_of
from apical.sources._names import ClipNames, safe_name
from apical.sources._roster import SPLITS, Present, Roster, in_every_split, split_in
from apical.sources._tables import SEXES, Row, Table, letters
from apical.sources._tracings import Tracings, left_ventricle
from apical.sources.base import ClipRecord, EchoView, Source, Split

__all__ = ["EchonetPediatric"]

LIST, TRACINGS = "FileList.csv", "VolumeTracings.csv"
NESTED = ("", "pediatric_echo_avi", "pediatric_echo_avi/pediatric_echo_avi")
VIEWS: dict[str, EchoView] = {"A4C": "a4c", "PSAX": "psax"}
LAST_FOLD = 9
VALIDATION_FOLD, TEST_FOLD = 8, 9
FEWEST_POINTS = 3
NAMED_IN_PARTS = re.compile(r"[^-]+-[^-]+-\d+")


class EchonetPediatric(Source):
    """Apical four-chamber and parasternal short-axis videos of children, with ejection fractions."""

    title = "EchoNet-Pediatric"
    licence = (
        "Stanford University Dataset Research Use Agreement (non-commercial research, no redistribution)"
    )
    citation = (
        "C. D. Reddy et al., Video-based deep learning for automated assessment of left ventricular ejection "
        "fraction in pediatric patients, Journal of the American Society of Echocardiography 36(5), 2023, "
        "doi 10.1016/j.echo.2023.01.015"
    )
    url = "https://echonet.github.io/pediatric/"
    markers = tuple(f"{nested}/{view}/{LIST}*".lstrip("/") for nested in NESTED for view in VIEWS)
    labels = ("ef_percent", "sex", "age_years", "weight_kg", "height_cm")
    expected_size = (112, 112)

    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every clip that is listed, traced or present, by view and name."""
        listings = {name: path for name in VIEWS if (path := _listing(folder, name))}
        if not listings:
            raise refuse(folder, self)
        rosters = {name: _roster(path) for name, path in listings.items()}
        known = ChainMap(*(roster.patient_splits(_patient) for roster in rosters.values()))
        names = ClipNames()
        for name, listing in listings.items():
            for present, tracings in _roll_call(folder, listing, rosters[name]):
                split = present.split(known, _patient(present.key))
                record = _record(present, tracings, VIEWS[name], split, names)
                yield from in_every_split(record, present.entry.splits, names)


def _listing(folder: Path, view_name: str) -> Path | None:
    candidates = (find_table(folder / nested / view_name, LIST) for nested in NESTED)
    return next((path for path in candidates if path), None)


def _roll_call(folder: Path, listing: Path, roster: Roster) -> Iterator[tuple[Present, Tracings | None]]:
    traced = find_table(listing.parent, TRACINGS)
    tracings = Tracings(traced, ("X", "Y"), _outline) if traced else None
    videos = files_below(listing.parent / "Videos")
    files = by_stem(path.relative_to(folder) for path in videos)
    for present in roster.call(files, LIST, tracings.clips if tracings else ()):
        yield present, tracings


def _roster(listing: Path) -> Roster:
    roster = Roster()
    for row in Table(listing, ("FileName", "EF"), ("Sex", "Age", "Weight", "Height", "Split")).rows():
        values = {
            "ef_percent": row.number("EF", low=0, high=100),
            "sex": row.word("Sex", SEXES),
            "age_years": row.number("Age", low=0, high=120),
            "weight_kg": row.number("Weight", low=0, high=500),
            "height_cm": row.number("Height", low=0, high=250),
        }
        roster.add(stem_of(row.text("FileName")), values, _split(row), row.faults, LIST)
    roster.refuse_empty(listing)
    return roster


def _split(row: Row) -> Split:
    """The split of a fold, or the split itself where the table names it."""
    if letters(row.text("Split")) in SPLITS:
        return split_in(row, "Split")
    fold = row.number("Split", low=0, high=LAST_FOLD)
    if fold is None:
        return "none"
    return "test" if fold == TEST_FOLD else "val" if fold == VALIDATION_FOLD else "train"


def _outline(rows: Sequence[tuple[float, ...]]) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in rows) if len(rows) >= FEWEST_POINTS else ()


def _record(
    present: Present, tracings: Tracings | None, echo_view: EchoView, split: Split, names: ClipNames
) -> ClipRecord:
    contours, trace_faults = left_ventricle(tracings, present.key, None)
    return ClipRecord(
        clip=names.unique(present.key),
        patient=_patient(present.key),
        study=_study(present.key),
        files=present.files,
        echo_view=echo_view,
        split=split,
        labels={label: present.entry.values.get(label) for label in EchonetPediatric.labels},
        traces=contours,
        faults=(*present.faults, *trace_faults),
    )


def _patient(stem: str) -> str:
    return safe_name(stem.partition("-")[0] if NAMED_IN_PARTS.fullmatch(stem) else stem)


def _study(stem: str) -> str:
    return safe_name(stem.rpartition("-")[0] if NAMED_IN_PARTS.fullmatch(stem) else stem)
