"""A DICOM header by allow-list: elements come in; checked numbers, closed words and an audit go out.

No other element is ever read, and no text that a person may have typed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue

from apical.readers._failures import DECODER_FAILURES
from apical.readers.base import TagAudit

__all__ = ["HASHED", "KEPT", "PYDICOM_FAILURES", "audit", "items", "number", "numbers", "word"]

PYDICOM_FAILURES = (BytesLengthException, InvalidDicomError)
"""What pydicom raises beside Python's own exceptions."""
TAG_FAILURES: tuple[type[Exception], ...] = (*DECODER_FAILURES, *PYDICOM_FAILURES)

KEPT = frozenset(
    {
        "BitsAllocated",
        "BitsStored",
        "BluePaletteColorLookupTableData",
        "BluePaletteColorLookupTableDescriptor",
        "BurnedInAnnotation",
        "CineRate",
        "Columns",
        "ExtendedOffsetTable",
        "FrameTime",
        "FrameTimeVector",
        "GreenPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableDescriptor",
        "HighBit",
        "NumberOfFrames",
        "PhotometricInterpretation",
        "PixelData",
        "PixelRepresentation",
        "PixelSpacing",
        "PlanarConfiguration",
        "RecommendedDisplayFrameRate",
        "RedPaletteColorLookupTableData",
        "RedPaletteColorLookupTableDescriptor",
        "RescaleIntercept",
        "RescaleSlope",
        "Rows",
        "SamplesPerPixel",
        "SequenceOfUltrasoundRegions",
        "TransferSyntaxUID",
        "WindowCenter",
        "WindowWidth",
    }
)
"""Keywords whose values are read and used."""

HASHED = frozenset({"PatientID", "PatientName", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"})
"""Keywords by which files are grouped, the name where there is no ID; they leave the house as keyed hashes only."""

MATCHED = frozenset({"Modality", "SOPClassUID", "SeriesDescription", "ViewCodeSequence", "ViewName"})
"""Keywords whose values are compared with known words; which of these it was is kept, and nothing else."""

BURNED_IN = {"YES": "yes", "NO": "no"}


def numbers(header: Dataset, keyword: str) -> list[float]:
    """All finite numbers of an element; empty if it is absent or holds anything else."""
    try:
        value = header.get(keyword)
        several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
        found = [float(each) for each in several if each is not None]
    except TAG_FAILURES:
        return []
    return found if all(map(math.isfinite, found)) else []


def number(header: Dataset, keyword: str) -> float | None:
    """The first number of an element."""
    return next(iter(numbers(header, keyword)), None)


def word(header: Dataset, keyword: str, known: frozenset[str]) -> str | None:
    """An element's value if it is one of the `known` words."""
    try:
        value = str(header.get(keyword)).strip().upper()
    except TAG_FAILURES:
        return None
    return value if value in known else None


def items(header: Dataset, keyword: str) -> Iterator[Dataset]:
    """The items of a sequence; none if it is broken."""
    try:
        sequence = header.get(keyword)
        found = [item for item in sequence or () if isinstance(item, Dataset)]
    except TAG_FAILURES:
        return
    yield from found


def audit(header: Dataset) -> TagAudit:
    """What becomes of each element, counted at the outermost level; private ones are always dropped."""
    tags = [*header.file_meta.keys(), *header.keys()]
    keywords = [keyword_for_tag(tag) for tag in tags]
    kept = sorted({keyword for keyword in keywords if keyword in KEPT} | {"PixelData"})
    hashed = {keyword for keyword in keywords if keyword in HASHED}
    if "PatientID" in hashed:
        hashed.discard("PatientName")
    matched = sorted({keyword for keyword in keywords if keyword in MATCHED})
    dropped = sum(keyword not in {*kept, *hashed, *matched} for keyword in keywords)
    burned_in = word(header, "BurnedInAnnotation", frozenset(BURNED_IN))
    return TagAudit(
        kept=tuple(kept),
        hashed=tuple(sorted(hashed)),
        matched=tuple(matched),
        dropped=dropped,
        burned_in=BURNED_IN[burned_in] if burned_in else "not stated",
    )
