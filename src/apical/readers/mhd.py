"""MetaImage: a text header (`.mhd`, or the start of an `.mha`) and its pixels come in, frames go out."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apical.errors import ApicalError
from apical.readers._failures import REPLACE, decoding
from apical.readers._grey import squeeze
from apical.readers._plausible import plausible_spacing
from apical.readers._stack import refuse_oversize
from apical.readers.base import Frames, Reader, Recording

__all__ = ["MhdReader"]

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
MAX_HEADER_BYTES = 65_536
LAST_KEY = b"ElementDataFile"


@dataclass(frozen=True, slots=True)
class _Header:
    """The lines of the text header, and where pixels begin if they follow it."""

    fields: Mapping[str, str]
    end: int

    def numbers(self, *keys: str) -> list[float]:
        """The numbers of the first key that is there."""
        text = next((self.fields[key] for key in keys if key in self.fields), "")
        return [float(word) for word in text.split()]

    def says(self, *keys: str) -> bool:
        return any(self.fields.get(key, "").lower() == "true" for key in keys)


class MhdReader(Reader):
    """MetaImage with one number a pixel, as CAMUS first came out."""

    suffixes = (".mhd", ".mha")

    def read(self, path: Path) -> Recording:
        """Decode to 8-bit; whole numbers within 0-255 are kept."""
        with decoding(path, "The file is no MetaImage that can be decoded"):
            header = _read_header(path)
            frames, notes = squeeze(_pixels(path, header), path.name)
            spacing_mm = _spacing(header)
        return Recording(frames=frames, spacing_mm=spacing_mm, notes=notes)

    def read_labels(self, path: Path) -> Frames:
        """Decode a label image: whole numbers in 0-255."""
        with decoding(path, "The file is no MetaImage that can be decoded"):
            values = _pixels(path, _read_header(path))
            labels = values.astype(np.uint8)
            exact = bool(np.array_equal(labels, values))
        if not exact:
            raise ApicalError("A label is no whole number in 0-255", where=path.name, remedy=REPLACE)
        return labels


def _read_header(path: Path) -> _Header:
    """Read `Key = value` lines up to `ElementDataFile`, which is the last by definition."""
    with path.open("rb") as file:
        head = file.read(MAX_HEADER_BYTES)
    last = head.index(LAST_KEY)
    end = head.find(b"\n", last) + 1 or len(head)
    lines = head[:end].decode("latin-1").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return _Header({key.strip(): value.strip() for key, value in pairs}, end)


def _pixels(path: Path, header: _Header) -> npt.NDArray[np.generic]:
    """The pixels as (T, H, W), in their own type."""
    sizes = [int(size) for size in header.numbers("DimSize")]
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) not in (2, 3) or header.fields.get("ElementNumberOfChannels", "1") != "1":
        raise ApicalError(
            "The image is not (width, height[, time]) of single numbers",
            where=path.name,
            remedy=REPLACE,
        )
    order = ">" if header.says("BinaryDataByteOrderMSB", "ElementByteOrderMSB") else "<"
    dtype = np.dtype(order + TYPES[header.fields["ElementType"]])
    refuse_oversize(path.name, *sizes, bytes_per_pixel=dtype.itemsize)
    expected = math.prod(sizes) * dtype.itemsize
    data = _data(path, header, expected)
    if len(data) < expected:
        raise ApicalError(
            "The pixels stop before the end of the image",
            where=path.name,
            seen=f"{len(data)} of {expected} bytes",
            remedy=REPLACE,
        )
    values = np.frombuffer(data, dtype, count=math.prod(sizes)).reshape(sizes[::-1])
    return values[None] if values.ndim == 2 else values


def _data(path: Path, header: _Header, expected: int) -> bytes:
    """At most `expected` bytes of pixels, unpacked where they are packed."""
    start, source = _data_place(path, header, expected)
    with source.open("rb") as file:
        file.seek(start)
        if header.says("CompressedData"):
            return zlib.decompressobj().decompress(file.read(), expected)
        return file.read(expected)


def _data_place(path: Path, header: _Header, expected: int) -> tuple[int, Path]:
    """Where pixels begin, and in which file: beside the header, never elsewhere."""
    name = header.fields[LAST_KEY.decode()]
    if name.upper() == "LOCAL":
        return header.end, path
    if name != Path(name).name or "\\" in name or name in ("", ".", "..") or name.upper().startswith("LIST"):
        raise ApicalError(
            "The header must name one data file in its own folder",
            where=path.name,
            remedy="Put both files together",
        )
    source = path.parent / name
    if not source.is_file():
        raise ApicalError(
            "The data file that belongs to the header is missing", where=path.name, remedy=REPLACE
        )
    start = int(header.fields.get("HeaderSize", "0"))
    return max(0, source.stat().st_size - expected if start == -1 else start), source


def _spacing(header: _Header) -> tuple[float, float] | None:
    spacing = header.numbers("ElementSpacing", "ElementSize")
    if len(spacing) < 2 or spacing[0] == spacing[1] == 1.0:
        return None
    return plausible_spacing(spacing[1], spacing[0])
