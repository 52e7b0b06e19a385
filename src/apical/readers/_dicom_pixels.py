"""DICOM pixel data, frame by frame: an open file comes in, decoded frames with their properties go out.

Neither the compressed nor the decoded clip lies in memory as a whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit

from apical.readers._dicom_grey import Properties

__all__ = ["PixelStore", "find_pixels"]

PIXEL_DATA = (0x7FE0, 0x0010)
ITEM = b"\xfe\xff\x00\xe0"
UNDEFINED_LENGTH = 0xFFFFFFFF
MAX_FRAGMENTS = 1_000_000
PREFERRED = {JPEGBaseline8Bit: "pillow", JPEG2000: "pylibjpeg", JPEG2000Lossless: "pylibjpeg"}
"""The only codec that is tried: another one would draw broken frames, or end the process, instead of refusing them."""
Decoded = tuple[npt.NDArray[np.generic], Properties]
"""A frame (H, W[, 3]) and what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelStore:
    """Where a file's pixel data begin, and how many frames they can hold."""

    start: int
    frames: int
    """Frames (or, where compressed, fragments) that are there as a whole."""
    is_cut: bool
    """Whether the file ends before its pixel data do."""
    is_compressed: bool
    vr: str
    """How pixels are written: as bytes or as words."""

    def iterate(self, file: BufferedReader, header: Dataset, num_frames: int) -> Iterator[Decoded]:
        """Decode up to `num_frames` frames; colours stay as they are stored."""
        options = as_pixel_options(header, number_of_frames=num_frames)
        options.pop("extended_offsets", None)  # the items themselves say where frames are
        decoder = get_decoder(header.file_meta.TransferSyntaxUID)
        file.seek(self.start)
        yield from decoder.iter_array(
            file,
            raw=True,
            decoding_plugin=PREFERRED.get(decoder.UID, ""),
            pixel_keyword="PixelData",
            pixel_vr=self.vr,
            allow_excess_frames=False,
            **options,
        )


def find_pixels(file: BufferedReader, header: Dataset, frame_bytes: int) -> PixelStore | None:
    """Read the pixel data's own header, at which `file` stands; None if there are no pixel data."""
    syntax = header.file_meta.TransferSyntaxUID
    order = "<" if syntax.is_little_endian else ">"
    head = file.read(8 if syntax.is_implicit_VR else 12)
    if len(head) < 8 or struct.unpack(f"{order}HH", head[:4]) != PIXEL_DATA:
        return None
    vr = "OW" if syntax.is_implicit_VR else head[4:6].decode("latin-1")
    length = struct.unpack(f"{order}L", head[-4:])[0]
    start = file.tell()
    file_end = file.seek(0, 2)
    file.seek(start)
    if syntax.is_encapsulated:
        fragments, is_cut = _count_fragments(file, file_end)
        return PixelStore(start=start, frames=fragments, is_cut=is_cut, is_compressed=True, vr=vr)
    there = min(length, file_end - start)
    return PixelStore(
        start=start, frames=there // max(1, frame_bytes), is_cut=there < length, is_compressed=False, vr=vr
    )


def _count_fragments(file: BufferedReader, file_end: int) -> tuple[int, bool]:
    """How many whole fragments follow the offset table, and whether the file ends before the last does."""
    for count in range(-1, MAX_FRAGMENTS):
        head = file.read(8)
        if head[:4] != ITEM:
            return max(0, count), len(head) < 8
        length = struct.unpack("<L", head[4:])[0] if len(head) == 8 else UNDEFINED_LENGTH
        if file.tell() + length > file_end:
            return max(0, count), True
        file.seek(length, 1)
    return MAX_FRAGMENTS, False
