"""EchoNet-LVH: MeasurementsList.csv and Batch*/*.avi come in, parasternal long-axis clips go out.

The table has a row a caliper. A length measured more than once is averaged; its end points give the pixel
spacing where all calipers of a clip agree on one. Rows of other measurements are not used. Where the older
split file lies beside the table, its split counts, and videos that only it lists come in without labels. A
patient is a clip.

Left ventricular hypertrophy is told by wall thickness, for the release has neither diagnoses nor body sizes:
1 where the septum or the posterior wall reaches 1.2 cm in diastole, 0 where both are known and neither does.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from apical.sources._folders import by_stem, files_below, find_table, is_video, main_table, stem_of
from apical.sources._names import ClipNames, safe_name
from apical.sources._roster import Present, Roster, in_every_split, split_in
from apical.sources._tables import Row, Table, letters
from apical.sources._tracings import frame_fault, trace_fault
from apical.sources.base import ClipRecord, Fault, Source

__all__ = ["EchonetLvh", "is_hypertrophic", "lv_mass_g"]

LIST, OLD_SPLIT = "MeasurementsList.csv", "hashed_index_old_split.csv"
LENGTHS = {"ivsd": "ivs_cm", "lvidd": "lvid_cm", "lvpwd": "lvpw_cm", "lvids": "lvid_systole_cm"}
THICK_WALL_CM = 1.2
SHORTEST_CM, LONGEST_CM = 0.01, 20.0
SHORTEST_CALIPER_PIXELS = 1.0
SPACING_TOLERANCE = 0.1
"""How far off a caliper's spacing may be, as a share: end points are whole pixels, lengths are rounded."""


@dataclass(slots=True)
class _Calipers:
    """What was measured in one clip."""

    lengths_cm: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    spans: list[tuple[float, float]] = field(default_factory=list)
    """(mm, pixels) of each caliper whose ends are known."""


class EchonetLvh(Source):
    """12,000 parasternal long-axis videos with wall thickness and the left ventricle's diameter."""

    title = "EchoNet-LVH"
    licence = (
        "Stanford University Dataset Research Use Agreement (non-commercial research, no redistribution)"
    )
    citation = (
        "G. Duffy et al., High-throughput precision phenotyping of left ventricular hypertrophy with "
        "cardiovascular deep learning, JAMA Cardiology 7(4), 2022, doi 10.1001/jamacardio.2021.6059"
    )
    url = "https://echonet.github.io/lvh/"
    markers = ("MeasurementsList.csv*", "EchoNet-LVH/MeasurementsList.csv*")
    labels = ("ivs_cm", "lvid_cm", "lvpw_cm", "lvid_systole_cm", "lv_mass_g", "lvh")
    height = width = 224
    fit = "pad"
    crops_to_sector = True

    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every clip that is listed or present, sorted by name."""
        listing = main_table(folder, self, LIST, ("EchoNet-LVH",))
        roster, calipers = _measured(listing)
        old_split = find_table(listing.parent, OLD_SPLIT)
        if old_split is not None:
            _use_older_split(roster, old_split)
        videos = (path for path in files_below(listing.parent) if is_video(path.name))
        files = by_stem(path.relative_to(folder) for path in videos)
        names = ClipNames()
        for present in roster.call(files, LIST):
            record = _record(present, calipers.get(present.key, _Calipers()), names)
            yield from in_every_split(record, present.entry.splits, names)


def lv_mass_g(ivs_cm: float, lvid_cm: float, lvpw_cm: float) -> float:
    """Mass of the left ventricle's muscle in grams, from diastolic lengths, by the cube formula."""
    return 0.8 * 1.04 * ((ivs_cm + lvid_cm + lvpw_cm) ** 3 - lvid_cm**3) + 0.6


def is_hypertrophic(ivs_cm: float | None, lvpw_cm: float | None) -> bool | None:
    """Whether a wall is thick in diastole; unknown where the only wall that is known is thin."""
    known = [thickness for thickness in (ivs_cm, lvpw_cm) if thickness is not None]
    if any(thickness >= THICK_WALL_CM for thickness in known):
        return True
    return False if len(known) == 2 else None


def _measured(listing: Path) -> tuple[Roster, dict[str, _Calipers]]:
    roster = Roster()
    calipers: dict[str, _Calipers] = defaultdict(_Calipers)
    required = ("HashedFileName", "Calc", "CalcValue")
    for row in Table(listing, required, ("X1", "X2", "Y1", "Y2", "Frame", "Frames", "FPS", "split")).rows():
        key = stem_of(row.text("HashedFileName"))
        frames = row.whole("Frames", low=1, high=100_000)
        values = {
            "fps_hz": row.number("FPS", low=0.1, high=10_000),
            "frames": None if frames is None else float(frames),
        }
        _take(row, frames, calipers[key])
        roster.add(key, values, split_in(row, "split"), row.faults)
    roster.refuse_empty(listing)
    return roster, calipers


def _take(row: Row, frames: int | None, calipers: _Calipers) -> None:
    """Add the caliper of a row; a wrong frame is a fault, but tells nothing against the length."""
    label = LENGTHS.get(letters(row.text("Calc")))
    if label is None:
        return
    frame = row.number("Frame")
    if frame is not None and (reason := frame_fault(int(frame), frames)):
        row.faults.append(trace_fault(reason, int(frame)))
    length_cm = row.number("CalcValue", low=SHORTEST_CM, high=LONGEST_CM)
    if length_cm is None:
        return
    calipers.lengths_cm[label].append(length_cm)
    x1, x2, y1, y2 = (row.number(column) for column in ("X1", "X2", "Y1", "Y2"))
    if x1 is not None and x2 is not None and y1 is not None and y2 is not None:
        calipers.spans.append((10 * length_cm, math.hypot(x2 - x1, y2 - y1)))


def _use_older_split(roster: Roster, path: Path) -> None:
    seen: set[str] = set()
    for row in Table(path, ("HashedFileName", "split")).rows():
        key = stem_of(row.text("HashedFileName"))
        if key not in seen and key in roster.entries:
            roster.entries[key].splits.clear()
        seen.add(key)
        roster.add(key, {}, split_in(row, "split"), row.faults)


def _record(present: Present, calipers: _Calipers, names: ClipNames) -> ClipRecord:
    entry, name = present.entry, safe_name(present.key)
    spacing_mm, spacing_faults = _spacing(calipers.spans)
    return ClipRecord(
        clip=names.unique(name),
        patient=name,
        study=name,
        files=present.files,
        echo_view="plax",
        split=entry.split,
        labels=_labels(calipers.lengths_cm),
        fps_hz=entry.number("fps_hz"),
        spacing_mm=spacing_mm,
        stated_frames=entry.whole("frames"),
        faults=(*present.faults, *spacing_faults),
    )


def _labels(lengths_cm: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
    labels = {label: fmean(lengths_cm[label]) if label in lengths_cm else None for label in LENGTHS.values()}
    ivs_cm, lvid_cm, lvpw_cm = labels["ivs_cm"], labels["lvid_cm"], labels["lvpw_cm"]
    mass_g = None
    if ivs_cm is not None and lvid_cm is not None and lvpw_cm is not None:
        mass_g = lv_mass_g(ivs_cm, lvid_cm, lvpw_cm)
    is_thick = is_hypertrophic(ivs_cm, lvpw_cm)
    return {**labels, "lv_mass_g": mass_g, "lvh": None if is_thick is None else float(is_thick)}


def _spacing(spans: Sequence[tuple[float, float]]) -> tuple[tuple[float, float] | None, tuple[Fault, ...]]:
    """The (y, x) spacing in mm on which the calipers agree."""
    if not spans:
        return None, ()
    if all(pixels >= SHORTEST_CALIPER_PIXELS for _, pixels in spans):
        spacing_mm = sum(mm for mm, _ in spans) / sum(pixels for _, pixels in spans)
        if all(abs(mm / pixels / spacing_mm - 1) <= SPACING_TOLERANCE for mm, pixels in spans):
            return (spacing_mm, spacing_mm), ()
    return None, (Fault(level="note", reason="the calipers do not agree on a pixel spacing"),)
