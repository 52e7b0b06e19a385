"""DICOM: an ultrasound image or clip comes in, compressed or not; grey frames and allowed tags go out."""

from __future__ import annotations

from pathlib import Path

from apical.readers.base import Reader, Recording

__all__ = ["DicomReader"]


class DicomReader(Reader):
    """Part 10 files with pixel data in any syntax that the installed codecs know."""

    suffixes = (".dcm", ".dicom", ".ima", "")

    def read(self, path: Path) -> Recording:
        """Decode all frames; only tags on the allow-list are looked at."""
        from apical.readers._dicom_file import read_dicom  # pydicom takes a second to load

        return read_dicom(path)
