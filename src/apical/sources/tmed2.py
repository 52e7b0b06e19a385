"""TMED-2: tables of views and diagnoses and folders of PNG stills come in, one still a record goes out.

A name such as 3725s1_5.png is patient 3725, study 1, image 5. The split is that of the suggested first fold
(DEV479, fold 0): of the diagnosis classifier, or of the view classifier where an image has no part in the
former. An image without labels takes the split of its patient, so that nobody's heart is on both sides; where
the tables do not know the patient, it has none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from apical.sources._folders import file_name, files_below, find_table, refuse
from apical.sources._names import ClipNames, safe_name
from apical.sources._roster import Present, Roster, in_every_split, split_in
from apical.sources._tables import Table
from apical.sources.base import ClipRecord, EchoView, Fault, Source, Split

__all__ = ["Tmed2"]

LABELS, FOLD = "labels_per_image.csv", "TMED2_fold0_labeledpart.csv"
NESTED = ("", "approved_users_only")
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
VIEWS: Mapping[str, EchoView] = {
    "plax": "plax",
    "psax": "psax",
    "a2c": "a2c",
    "a4c": "a4c",
    "a4cora2corother": "other",
}
AS_GRADES = {
    "noas": "none",
    "mildas": "mild",
    "mildtomodas": "mild_to_moderate",
    "moderateas": "moderate",
    "severeas": "severe",
    "notprovided": None,
}


class Tmed2(Source):
    """Stills of labelled and of many more unlabelled studies, with grades of aortic stenosis."""

    title = "TMED-2"
    licence = "TMED data use agreement (non-commercial research, no redistribution)"
    citation = (
        "Z. Huang, G. Long, B. Wessler, M. C. Hughes, TMED 2: a dataset for semi-supervised classification "
        "of echocardiograms, DataPerf workshop at ICML 2022"
    )
    url = "https://tmed.cs.tufts.edu/tmed_v2.html"
    markers = tuple(
        f"{nested}/{name}*".lstrip("/") for nested in NESTED for name in (LABELS, f"DEV479/{FOLD}")
    )
    labels = ("as_grade",)
    expected_size = (112, 112)

    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every still that is listed or present, sorted by name."""
        root = next((folder / nested for nested in NESTED if _tables(folder / nested)), None)
        if root is None:
            raise refuse(folder, self)
        roster = Roster()
        for table in _tables(root):
            _read(table, roster)
        roster.refuse_empty(root / LABELS)
        known, names = roster.patient_splits(_patient), ClipNames()
        for present in roster.call(_images(folder, root), LABELS, keeps_unlisted=True):
            split = present.split(known, _patient(present.key))
            yield from in_every_split(_record(present, split, names), present.entry.splits, names)


def _tables(root: Path) -> list[Path]:
    tables = (find_table(root, LABELS), find_table(root / "DEV479", FOLD))
    return [table for table in tables if table]


def _read(path: Path, roster: Roster) -> None:
    splits = ("diagnosis_classifier_split", "view_classifier_split")
    for row in Table(path, ("query_key", "view_label", "diagnosis_label"), splits).rows():
        values = {
            "echo_view": row.word("view_label", VIEWS),
            "as_grade": row.word("diagnosis_label", AS_GRADES),
        }
        by_column = [split_in(row, column) for column in splits]
        split = by_column[1] if by_column[0] == "none" else by_column[0]
        roster.add(file_name(row.text("query_key")), values, split, row.faults, path.name)


def _images(folder: Path, root: Path) -> dict[str, list[Path]]:
    images: dict[str, list[Path]] = defaultdict(list)
    for path in files_below(root):
        if path.suffix.lower() in IMAGE_ENDINGS:
            images[path.name].append(path.relative_to(folder))
    return images


def _record(present: Present, split: Split, names: ClipNames) -> ClipRecord:
    stem = present.key.rpartition(".")[0] or present.key
    as_grade = present.entry.values.get("as_grade")
    return ClipRecord(
        clip=names.unique(stem),
        patient=_patient(present.key),
        study=safe_name(stem.rpartition("_")[0] or stem),
        files=present.files,
        echo_view=_echo_view(present),
        split=split,
        is_cine=False,
        labels={"as_grade": as_grade},
        stated_frames=1,
        faults=(*present.faults, *_unlisted(present)),
    )


def _echo_view(present: Present) -> EchoView:
    word = present.entry.values.get("echo_view")
    return next((echo_view for echo_view in VIEWS.values() if echo_view == word), "unknown")


def _unlisted(present: Present) -> tuple[Fault, ...]:
    """A fault where an image lies among the labelled ones, but no table has it."""
    if present.entry.tables or any(path.parent.name.startswith("unlabeled") for path in present.files):
        return ()
    return (Fault(level="label", reason=f"among the labelled images, but not listed in {LABELS}"),)


def _patient(name: str) -> str:
    match = re.match(r"(\d+)s\d", name)
    return match[1] if match else safe_name(name)
