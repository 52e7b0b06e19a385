"""CAMUS: patient folders of NIfTI or MHD images, cfg files and split lists come in, apical clips go out.

One clip a patient and echo view. Where the sequence lies there and its cfg file tells which frames are
end-diastole and end-systole, the clip is the sequence; otherwise it is the two stills, end-diastole first.
Missing patients, views, sequences and cfg files are normal; a patient on a list without a folder comes out
with a fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from apical.sources._camus_views import VIEWS, ViewImages, describe
from apical.sources._folders import refuse
from apical.sources._names import ClipNames, safe_name
from apical.sources._roster import SPLITS, in_every_split
from apical.sources.base import ClipRecord, Fault, Source, Split

__all__ = ["Camus"]

NESTED = ("", "CAMUS_public")
PATIENT_FOLDERS: dict[str, Split] = {
    "database_nifti": "none",
    "training": "train",
    "testing": "test",
    ".": "none",
}
"""Where patient folders lie, and the split that this alone tells."""


class Camus(Source):
    """500 patients in two apical views, with left ventricle, myocardium and left atrium traced."""

    title = "CAMUS"
    licence = "CC BY-NC-SA 4.0 (non-commercial scientific research)"
    citation = (
        "S. Leclerc et al., Deep learning for segmentation using an open large-scale dataset in "
        "2D echocardiography, IEEE Transactions on Medical Imaging 38(9), 2019, doi 10.1109/TMI.2019.2900516"
    )
    url = "https://www.creatis.insa-lyon.fr/Challenge/camus/"
    markers = tuple(
        f"{nested}/{place}/patient*".replace("/.", "").lstrip("/")
        for nested in NESTED
        for place in PATIENT_FOLDERS
    )
    labels = ("ef_percent", "edv_ml", "esv_ml", "image_quality", "sex", "age_years")
    height = width = 224

    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every patient and echo view, and for every listed absentee, by patient."""
        root = next((folder / nested for nested in NESTED if _placed(folder / nested)), None)
        if root is None:
            raise refuse(folder, self)
        listed, placed, names = _listed(root), _placed(root), ClipNames()
        for patient in sorted({*listed, *placed}):
            lists = listed.get(patient, {})
            for place, split_of_place in placed.get(patient, {}).items():
                splits = tuple(lists) or (split_of_place,)
                for record in _records(folder, place, splits[0], is_listed=bool(lists) or not listed):
                    named = replace(record, clip=names.unique(record.clip))
                    yield from in_every_split(named, splits, names)
            if patient not in placed:
                yield from _absentees(patient, lists, names)


def _placed(root: Path) -> dict[str, dict[Path, Split]]:
    """Folders of each patient, and the split that their place tells."""
    placed: dict[str, dict[Path, Split]] = defaultdict(dict)
    for name, split in PATIENT_FOLDERS.items():
        for place in sorted((root / name).glob("patient*")):
            if place.is_dir():
                placed[place.name][place] = split
    return placed


def _listed(root: Path) -> dict[str, dict[Split, str]]:
    """The splits of each patient by the official lists, and the list's name."""
    listed: dict[str, dict[Split, str]] = defaultdict(dict)
    for part in ("training", "validation", "testing"):
        path = root / "database_split" / f"subgroup_{part}.txt"
        text = path.read_bytes().decode("utf-8-sig", errors="replace") if path.is_file() else ""
        for patient in filter(None, map(str.strip, text.splitlines())):
            listed[safe_name(patient)][SPLITS[part]] = path.name
    return listed


def _absentees(patient: str, lists: Mapping[Split, str], names: ClipNames) -> Iterator[ClipRecord]:
    """A record without files for each list that has a patient of whom nothing is there."""
    for split, list_name in lists.items():
        fault = Fault(level="clip", reason=f"listed in {list_name}, but there is no folder of that name")
        yield ClipRecord(
            clip=names.unique(patient),
            patient=patient,
            study=patient,
            files=(),
            split=split,
            is_cine=False,
            faults=(fault,),
        )


def _records(folder: Path, place: Path, split: Split, *, is_listed: bool) -> Iterator[ClipRecord]:
    """One record for each echo view of which there is an image."""
    patient = safe_name(place.name)
    record = ClipRecord(clip=patient, patient=patient, study=patient, files=(), split=split)
    note = () if is_listed else (Fault(level="note", reason="on no split list"),)
    images = {name: ViewImages(folder, place, name) for name in VIEWS}
    for name, view_images in images.items():
        if not view_images.is_empty:
            clip = describe(view_images, wants_masks=split != "test")
            yield replace(
                record,
                clip=f"{patient}_{name}",
                files=clip.files,
                companions=view_images.pixels,
                echo_view=VIEWS[name],
                is_cine=clip.is_cine,
                labels=clip.labels,
                traces=clip.traces,
                fps_hz=clip.fps_hz,
                stated_frames=clip.stated_frames,
                faults=(*note, *clip.faults),
            )
    if all(view_images.is_empty for view_images in images.values()):
        yield replace(
            record, is_cine=False, faults=(Fault(level="clip", reason="the folder holds no image"),)
        )
