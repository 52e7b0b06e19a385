"""File formats, a file each: from a file on disk to grey 8-bit frames."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from apical import registry
from apical.errors import ApicalError
from apical.readers.base import Reader

__all__ = ["readable_suffixes", "reader_for"]

DICOM_MARK = b"DICM"
DICOM_PREAMBLE_BYTES = 128


@cache
def readable_suffixes() -> dict[str, str]:
    """Say which reader reads which ending."""
    names = registry.names("readers")
    return {suffix: name for name in names for suffix in registry.load("readers", name).suffixes}


def reader_for(path: Path) -> Reader:
    """Choose the reader of the file at `path`: by its ending, or by its content if that is unknown."""
    readers = readable_suffixes()
    name = path.name.lower()
    endings = [suffix for suffix in readers if suffix and name.endswith(suffix)]
    if endings:
        return _reader(readers[max(endings, key=len)])
    if _is_dicom(path):
        return _reader(readers[""])
    known = " ".join(sorted(filter(None, readers)))
    raise ApicalError(
        "There is no reader for this file",
        where=path.name,
        remedy=f"Readable are: {known}",
    )


def _reader(name: str) -> Reader:
    reader: Reader = registry.load("readers", name)()
    return reader


def _is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does; names with dots, such as UIDs, seem to have endings."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(DICOM_PREAMBLE_BYTES + len(DICOM_MARK))[DICOM_PREAMBLE_BYTES:] == DICOM_MARK
