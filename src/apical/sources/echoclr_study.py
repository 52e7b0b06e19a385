"""Studies of the EchoCLR paper: videos/, a CSV a split and echo_labels.csv come in, long-axis clips go out.

Each study has several parasternal long-axis videos and one label; a study stands for a patient. The table
ext_test is a test at other hospitals: its clips are in the split test, and marked. echo_labels.csv is a
hospital's list, which may have many studies of which there is no video; these are no clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from apical.sources._folders import by_stem, file_name, files_below, find_table, is_video, refuse, stem_of
from apical.sources._names import ClipNames, safe_name
from apical.sources._roster import Present, Roster, in_every_split
from apical.sources._tables import Table
from apical.sources.base import ClipRecord, Fault, Source, Split

__all__ = ["EchoclrStudy"]

LISTS: Mapping[str, Split] = {"train": "train", "val": "val", "test": "test", "ext_test": "test"}
LABELS = "echo_labels.csv"
ALSO_CALLED = {
    "fpath": ("path", "file", "file_path", "file_name", "video", "video_path"),
    "acc_num": ("accession_number", "accession", "study", "study_id"),
    "av_stenosis": ("as", "as_severity", "aortic_stenosis"),
    "LVH_LVMi": ("lvh",),
}
AS_WORDS: Mapping[str, tuple[float, str | None]] = {
    "0": (0.0, None),
    "1": (1.0, "severe"),
    "none": (0.0, "none"),
    "no": (0.0, "none"),
    "normal": (0.0, "none"),
    "absent": (0.0, "none"),
    "mild": (0.0, "mild"),
    "mildmoderate": (0.0, "mild_to_moderate"),
    "mildtomoderate": (0.0, "mild_to_moderate"),
    "moderate": (0.0, "moderate"),
    "moderatesevere": (0.0, None),
    "moderatetosevere": (0.0, None),
    "nonsevere": (0.0, None),
    "notsevere": (0.0, None),
    "severe": (1.0, "severe"),
}
"""Whether stenosis is severe, and its grade where the word tells one."""
LVH_WORDS = {
    "hypertrophy": 1.0,
    "1": 1.0,
    "normal": 0.0,
    "no": 0.0,
    "none": 0.0,
    "nohypertrophy": 0.0,
    "0": 0.0,
}


class EchoclrStudy(Source):
    """Studies of several long-axis videos each, labelled for severe aortic stenosis and hypertrophy."""

    title = "EchoCLR studies"
    licence = "Private; no licence is granted"
    citation = (
        "G. Holste et al., Efficient deep learning-based automated diagnosis from echocardiography "
        "with contrastive self-supervised learning, Communications Medicine 4, 2024, "
        "doi 10.1038/s43856-024-00538-3"
    )
    url = "https://doi.org/10.1038/s43856-024-00538-3"
    markers = tuple(f"{name}.csv*" for name in LISTS)
    labels = ("as_severe", "as_grade", "lvh", "is_external", "plax_probability")
    expected_size = (112, 112)
    is_identifying = True  # files and studies bear accession numbers

    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every video that is listed or present, sorted by path."""
        tables = {name: path for name in LISTS if (path := find_table(folder, f"{name}.csv"))}
        if not tables:
            raise refuse(folder, self)
        videos = _Videos(folder)
        roster, hypertrophy = Roster(), _hypertrophy(folder)
        for name, table in tables.items():
            if table.stat().st_size:  # a split may have no studies
                _read(table, name, videos, roster)
        roster.refuse_empty(folder)
        studies = _Studies(roster)
        names = ClipNames()
        for present in roster.call(videos.by_path, "a table of a split"):
            record = _record(present, studies, hypertrophy, names)
            yield from in_every_split(record, present.entry.splits, names)


class _Videos:
    """The videos on disk; tables may name them by paths of the machine on which they were made."""

    def __init__(self, folder: Path) -> None:
        below = (path.relative_to(folder) for path in files_below(folder / "videos"))
        self.by_path = {path.as_posix(): [path] for path in below if is_video(path.name)}
        self._by_stem = by_stem(paths[0] for paths in self.by_path.values())

    def find(self, text: str) -> str:
        """The path on disk that ends most like `text`; `text` itself if there is no video of that name."""
        wanted = text.replace("\\", "/").split("/")[::-1]
        found = self._by_stem.get(stem_of(text), [])
        return max(found, key=lambda path: _common(wanted, path.parts[::-1])).as_posix() if found else text


class _Studies:
    """Which study a video belongs to, and the split of each study."""

    def __init__(self, roster: Roster) -> None:
        self._entries = roster.entries
        listed = (entry.values.get("study") for entry in roster.entries.values())
        self._known = {study for study in listed if isinstance(study, str)}
        self.splits = roster.patient_splits(self.of)

    def of(self, path: str) -> str:
        """The study that a table names; for a video that none lists, the one of its folder or of its name."""
        entry = self._entries.get(path)
        study = entry.values.get("study") if entry else None
        if isinstance(study, str) and study:
            return study
        folder, _, name = path.rpartition("/")
        guesses = (file_name(folder), stem_of(name).rpartition("_")[0])
        return next((guess for guess in guesses if guess in self._known), safe_name(stem_of(name)))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts are the same before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _read(path: Path, name: str, videos: _Videos, roster: Roster) -> None:
    table = Table(path, ("fpath", "acc_num", "av_stenosis"), ("plax_prob",), ALSO_CALLED)
    for row in table.rows():
        as_severe, as_grade = row.word("av_stenosis", AS_WORDS) or (None, None)
        values = {
            "study": _study(row.text("acc_num")),
            "as_severe": as_severe,
            "as_grade": as_grade,
            "is_external": float(name == "ext_test"),
            "plax_probability": row.number("plax_prob", low=0, high=1),
        }
        roster.add(videos.find(row.text("fpath")), values, LISTS[name], row.faults, path.name)


def _hypertrophy(folder: Path) -> dict[str, tuple[float | None, tuple[Fault, ...]]]:
    """The label of each study in the table of all studies, and what was amiss with it."""
    path = find_table(folder, LABELS)
    if path is None:
        return {}
    rows = Table(path, ("Accession Number", "LVH_LVMi"), also_called=ALSO_CALLED).rows()
    return {
        _study(row.text("Accession Number")): (row.word("LVH_LVMi", LVH_WORDS), tuple(row.faults))
        for row in rows
    }


def _study(text: str) -> str:
    """An accession number; a table that went through floating point has .0 behind it."""
    return safe_name(text.removesuffix(".0")) if text else ""


def _record(
    present: Present,
    studies: _Studies,
    hypertrophy: Mapping[str, tuple[float | None, tuple[Fault, ...]]],
    names: ClipNames,
) -> ClipRecord:
    study = studies.of(present.key)
    lvh, lvh_faults = hypertrophy.get(study, (None, ()))
    labels = {label: present.entry.values.get(label) for label in EchoclrStudy.labels}
    return ClipRecord(
        clip=names.unique(stem_of(present.key)),
        patient=study,
        study=study,
        files=present.files,
        echo_view="plax",
        split=present.split(studies.splits, study),
        labels={**labels, "lvh": lvh},
        faults=(*present.faults, *lvh_faults),
    )
