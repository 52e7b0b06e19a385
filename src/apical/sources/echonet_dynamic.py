"""EchoNet-Dynamic: two tables and Videos/*.avi come in, apical four-chamber clips go out.

A patient is a clip: the release does not tell which clips belong together. Of the rows that trace a frame the
first is the long axis; the others are chords, whose ends are the outline of the left ventricle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from apical.pixels.contour import polygon_from_chords
from apical.sources._folders import by_stem, files_below, find_table, main_table, stem_of
from apical.sources._names import ClipNames, safe_name
from apical.sources._roster import Present, Roster, in_every_split, split_in
from apical.sources._tables import Table
from apical.sources._tracings import Tracings, left_ventricle
from apical.sources.base import ClipRecord, Source

__all__ = ["EchonetDynamic"]

LIST, TRACINGS = "FileList.csv", "VolumeTracings.csv"
FEWEST_CHORDS = 3


class EchonetDynamic(Source):
    """10,030 apical four-chamber videos with ejection fractions and two traced frames each."""

    title = "EchoNet-Dynamic"
    licence = (
        "Stanford University Dataset Research Use Agreement (non-commercial research, no redistribution)"
    )
    citation = (
        "D. Ouyang et al., Video-based AI for beat-to-beat assessment of cardiac function, "
        "Nature 580, 2020, doi 10.1038/s41586-020-2145-8"
    )
    url = "https://echonet.github.io/dynamic/"
    markers = ("FileList.csv*", "EchoNet-Dynamic/FileList.csv*")
    labels = ("ef_percent", "esv_ml", "edv_ml")
    expected_size = (112, 112)

    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every clip that is listed, traced or present, sorted by name."""
        listing = main_table(folder, self, LIST, ("EchoNet-Dynamic",))
        traced = find_table(listing.parent, TRACINGS)
        tracings = Tracings(traced, ("X1", "Y1", "X2", "Y2"), _outline) if traced else None
        videos = files_below(listing.parent / "Videos")
        files = by_stem(path.relative_to(folder) for path in videos)
        names = ClipNames()
        for present in _roster(listing).call(files, LIST, tracings.clips if tracings else ()):
            yield from in_every_split(_record(present, tracings, names), present.entry.splits, names)


def _roster(listing: Path) -> Roster:
    roster = Roster()
    table = Table(listing, ("FileName", "EF", "ESV", "EDV"), ("FPS", "NumberOfFrames", "Split"))
    for row in table.rows():
        values = {
            "ef_percent": row.number("EF", low=0, high=100),
            "esv_ml": row.number("ESV", low=0, high=2000),
            "edv_ml": row.number("EDV", low=0, high=2000),
            "fps_hz": row.number("FPS", low=0.1, high=10_000),
            "frames": row.number("NumberOfFrames", low=1, high=100_000),
        }
        roster.add(stem_of(row.text("FileName")), values, split_in(row, "Split"), row.faults, LIST)
    roster.refuse_empty(listing)
    return roster


def _outline(rows: Sequence[tuple[float, ...]]) -> tuple[tuple[float, float], ...]:
    chords = [(x1, y1, x2, y2) for x1, y1, x2, y2 in rows[1:]]
    return polygon_from_chords(chords) if len(chords) >= FEWEST_CHORDS else ()


def _record(present: Present, tracings: Tracings | None, names: ClipNames) -> ClipRecord:
    entry, name = present.entry, safe_name(present.key)
    stated_frames = entry.whole("frames")
    contours, trace_faults = left_ventricle(tracings, present.key, stated_frames)
    return ClipRecord(
        clip=names.unique(name),
        patient=name,
        study=name,
        files=present.files,
        echo_view="a4c",
        split=entry.split,
        labels={label: entry.values.get(label) for label in EchonetDynamic.labels},
        traces=contours,
        fps_hz=entry.number("fps_hz"),
        stated_frames=stated_frames,
        faults=(*present.faults, *trace_faults),
    )
