"""Whether a video file was cut short: a path comes in, yes or no goes out.

AVI, MP4/MOV and Matroska say in their outermost boxes how long they are, and GIF has an end mark.
"""

from __future__ import annotations

import struct
from io import BufferedReader
from pathlib import Path

__all__ = ["is_cut_short"]

MAX_BOXES = 1000
"""Top-level boxes that are looked at; a fragmented MP4 has a few per second."""
EBML_SEGMENT = 0x18538067
GIF_TRAILER = b";"


def is_cut_short(path: Path) -> bool:
    """Whether the container claims bytes beyond the end of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[:4] == b"RIFF":
            return _riff_end(head) > size
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _boxes_end(file, size) > size
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _segment_end(file) > size
        if head[:4] == b"GIF8":
            file.seek(-min(size, 16), 2)
            return not file.read().rstrip(b"\0").endswith(GIF_TRAILER)
    return False


def _riff_end(head: bytes) -> int:
    return 8 + int.from_bytes(head[4:8], "little")


def _boxes_end(file: BufferedReader, size: int) -> int:
    """Where the last top-level box of an MP4 ends."""
    end = 0
    for _ in range(MAX_BOXES):
        file.seek(end)
        head = file.read(16)
        if end >= size or len(head) < 8:
            break
        length = struct.unpack(">I", head[:4])[0]
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if length == 0:  # reaches to the end of the file
            return size
        if length < 8:
            break
        end += length
    return end


def _segment_end(file: BufferedReader) -> int:
    """Where the segment of a Matroska file ends; 0 if it doesn't say."""
    _vint(file, keeps_marker=True)
    header_length = _vint(file)
    file.seek(header_length, 1)
    if _vint(file, keeps_marker=True) != EBML_SEGMENT:
        return 0
    length = _vint(file)
    return file.tell() + length


def _vint(file: BufferedReader, *, keeps_marker: bool = False) -> int:
    """A number of Matroska's variable length; an unknown length counts as 0."""
    first = file.read(1)
    if not first or not first[0]:
        return 0
    extra = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(extra), "big")
    if keeps_marker:
        return value
    mask = (1 << (7 * (extra + 1))) - 1
    return 0 if value & mask == mask else value & mask
