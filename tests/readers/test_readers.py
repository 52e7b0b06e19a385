from __future__ import annotations

from pathlib import Path

import pytest

from apical import registry
from apical.errors import ApicalError
from apical.readers import readable_suffixes, reader_for
from apical.readers.base import Reader


@pytest.mark.parametrize("name", registry.names("readers"))
def test_every_piece_is_a_reader_with_endings_of_its_own(name: str) -> None:
    piece = registry.load("readers", name)
    assert issubclass(piece, Reader)
    assert all(readable_suffixes()[suffix] == name == name.lower() for suffix in piece.suffixes)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("a.AVI", "VideoReader"),
        ("a.nii.gz", "NiftiReader"),
        ("a.nii", "NiftiReader"),
        ("b.c.png", "ImageReader"),
        ("a.mhd", "MhdReader"),
        ("a.dcm", "DicomReader"),
    ],
)
def test_the_ending_tells_the_reader(file: str, kind: str) -> None:
    assert type(reader_for(Path(file))).__name__ == kind


@pytest.mark.parametrize("file", ["IM0001", "1.2.840.113"])
def test_dicom_without_an_ending_is_told_by_its_content(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(bytes(128) + b"DICM")
    assert type(reader_for(tmp_path / file)).__name__ == "DicomReader"


def test_an_unreadable_ending_is_refused_with_the_readable_ones(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(ApicalError, match=r"\.avi.*\.nii\.gz"):
        reader_for(tmp_path / "a.txt")
