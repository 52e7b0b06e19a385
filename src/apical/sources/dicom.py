"""Any tree of DICOM files comes in, ultrasound clips without labels go out.

Only a few elements of each header are read. Patients and studies are told by their ids, or by folders where
the ids were removed. The echocardiographic view comes from its code, or from a name that is one of a few
known words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from apical.errors import ApicalError
from apical.readers._bounded_file import BoundedFile
from apical.readers._dicom_tags import PYDICOM_FAILURES, items, number
from apical.readers._failures import DECODER_FAILURES, decoding
from apical.sources._folders import files_below, refuse
from apical.sources._names import ClipNames, safe_name
from apical.sources._tables import letters
from apical.sources.base import ClipRecord, EchoView, Fault, Source

__all__ = ["Dicom"]

FAILURES: tuple[type[Exception], ...] = (*DECODER_FAILURES, *PYDICOM_FAILURES)
ENDINGS = (".dcm", ".dicom", ".ima")
MARK_AT, MARK = 128, b"DICM"
INDEX_FILE = "DICOMDIR"
ULTRASOUND = "US"
ULTRASOUND_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("3", "3.1", "6", "6.1"))
ELEMENTS = (
    "Modality",
    "NumberOfFrames",
    "PatientID",
    "PatientName",
    "SOPClassUID",
    "SeriesDescription",
    "StudyInstanceUID",
    "ViewCodeSequence",
    "ViewName",
)
VIEW_OF_CODE: dict[str, EchoView] = {
    "399214001": "a4c",
    "G-A19C": "a4c",
    "399232001": "a2c",
    "G-A19B": "a2c",
    "399139001": "plax",
    "G-0396": "plax",
    "399306005": "psax",
    "G-0397": "psax",
    "399239005": "psax",
    "G-0398": "psax",
    "399371001": "psax",
    "G-0399": "psax",
    "399036006": "psax",
    "G-039A": "psax",
    "399271003": "psax",
    "G-039B": "psax",
}
"""SNOMED codes of DICOM's context group 12226, today's and the older ones; other codes are other views."""
VIEW_OF_WORD: dict[str, EchoView] = {
    "a4c": "a4c",
    "ap4": "a4c",
    "4ch": "a4c",
    "apical4chamber": "a4c",
    "apicalfourchamber": "a4c",
    "a2c": "a2c",
    "ap2": "a2c",
    "2ch": "a2c",
    "apical2chamber": "a2c",
    "apicaltwochamber": "a2c",
    "plax": "plax",
    "parasternallongaxis": "plax",
    "psax": "psax",
    "parasternalshortaxis": "psax",
}


class Dicom(Source):
    """A folder tree of DICOM ultrasound, single- and multi-frame, with or without the ending .dcm."""

    title = "a folder of DICOM files"
    licence = "Unknown; see where the files came from"
    citation = "None; cite where the files came from"
    markers = (*(f"**/*{ending}" for ending in ENDINGS), "**/DICOMDIR")
    height = width = 224
    fit = "pad"
    crops_to_sector = True
    is_identifying = True

    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every DICOM file, and for every file that should be one, sorted by path."""
        names, is_empty = ClipNames(), True
        for path in files_below(folder):
            if _may_be_dicom(path):
                is_empty = False
                yield _record(folder, path, names)
        if is_empty:
            raise refuse(folder, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What is wanted of a header; raw, so it must not leave the record."""

    patient: str = ""
    study: str = ""
    echo_view: EchoView = "unknown"
    is_cine: bool = False
    faults: tuple[Fault, ...] = ()


def _may_be_dicom(path: Path) -> bool:
    """Whether a file is DICOM, or is called as such files are: by an ending, by none, or by a unique id."""
    if path.name.upper() == INDEX_FILE:
        return False
    ending = path.suffix.lower()
    return ending in ENDINGS or not ending or ending[1:].isdigit() or _has_mark(path)


def _has_mark(path: Path) -> bool:
    """Whether the file can be opened, which a link that leads nowhere can't, and begins as DICOM does."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(MARK_AT)
        return file.read(len(MARK)) == MARK
    return False


def _record(folder: Path, path: Path, names: ClipNames) -> ClipRecord:
    relative = path.relative_to(folder)
    header = _header(path)
    first_folder = relative.parts[0] if len(relative.parts) > 1 else relative.stem
    patient = header.patient or safe_name(first_folder)
    return ClipRecord(
        clip=names.unique("_".join(relative.parts)),
        patient=patient,
        study=header.study or (safe_name(relative.parent.as_posix()) if len(relative.parts) > 1 else patient),
        files=(relative,),
        echo_view=header.echo_view,
        is_cine=header.is_cine,
        faults=header.faults,
    )


def _header(path: Path) -> _Header:
    has_mark = _has_mark(path)
    if not has_mark and path.suffix.lower() not in ENDINGS:
        return _Header(faults=(Fault(level="clip", reason="has neither the mark of DICOM nor its ending"),))
    try:
        with (
            decoding(path, "the header can't be read", *PYDICOM_FAILURES),
            BoundedFile(path) as file,
        ):
            elements = dcmread(
                file, stop_before_pixels=True, specific_tags=list(ELEMENTS), force=not has_mark
            )
            return _described(elements)
    except ApicalError as error:
        return _Header(faults=(Fault(level="clip", reason=error.what),))


def _described(elements: Dataset) -> _Header:
    faults = []
    if not _is_ultrasound(elements):
        faults.append(Fault(level="clip", reason="the header does not say that this is ultrasound"))
    num_frames = number(elements, "NumberOfFrames")
    if num_frames is None and "NumberOfFrames" in elements:
        faults.append(Fault(level="note", reason="the header's number of frames is not a number"))
    return _Header(
        patient=_text(elements, "PatientID") or _text(elements, "PatientName"),
        study=_text(elements, "StudyInstanceUID"),
        echo_view=_echo_view(elements),
        is_cine=num_frames is not None and num_frames > 1,
        faults=tuple(faults),
    )


def _is_ultrasound(elements: Dataset) -> bool:
    modality = _text(elements, "Modality")
    return modality == ULTRASOUND or (not modality and _text(elements, "SOPClassUID") in ULTRASOUND_CLASSES)


def _echo_view(elements: Dataset) -> EchoView:
    for item in items(elements, "ViewCodeSequence"):
        return VIEW_OF_CODE.get(_text(item, "CodeValue"), "other")
    words = (letters(_text(elements, keyword)) for keyword in ("ViewName", "SeriesDescription"))
    return next((VIEW_OF_WORD[word] for word in words if word in VIEW_OF_WORD), "unknown")


def _text(elements: Dataset, keyword: str) -> str:
    """An element's text, for hashing and comparing only; empty if it is absent or broken."""
    try:
        return str(elements.get(keyword) or "").strip(" \0")
    except FAILURES:
        return ""
