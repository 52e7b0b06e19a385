"""Faults in files: written files of a clip come in, they are spoilt, and what was planted goes out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from apical.phantom.dirt.planting import Planted
from apical.phantom.draws import generator
from apical.phantom.layouts.base import Layout
from apical.phantom.plan import WrittenClip
from apical.whole import whole_file

__all__ = ["spoil_files"]

NOISE_BYTES = 4096
TRUNCATED_AT = 0.4
"""Of the bytes, how many are left."""
FRAMES_CLAIMED = 25
"""So many more frames are stated than there are."""
AVI_MAIN_FRAMES_AT, AVI_STREAM_FRAMES_AT = 16, 32
"""Where a header states its frames, counted from the end of its chunk's name and size."""


def spoil_files(layout: Layout, folder: Path, clip: WrittenClip, planted: Planted) -> Planted:
    """Plant the clip's fault, if it is one of files."""
    if planted.kind in _SPOILERS:
        for name in layout.files(clip.plan):
            _SPOILERS[planted.kind](folder / name)
    if planted.kind in ("missing_file", "missing_tracings"):
        _remove(folder, layout.trace_files(clip.plan))
    if planted.kind == "missing_file":
        _remove(folder, layout.fact_files(clip.plan))
    return planted


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).unlink()
        if not any((folder / name).parent.iterdir()):
            (folder / name).parent.rmdir()


def _make_noise(path: Path) -> None:
    with whole_file(path) as part:
        part.write_bytes(generator("noise", path.name).bytes(NOISE_BYTES))


def _truncate(path: Path) -> None:
    content = path.read_bytes()
    with whole_file(path) as part:
        part.write_bytes(content[: int(TRUNCATED_AT * len(content))])


def _state_too_many_frames(path: Path) -> None:
    """Change what both headers of an AVI file say; its index still knows better."""
    content = bytearray(path.read_bytes())
    for chunk, offset in ((b"avih", AVI_MAIN_FRAMES_AT), (b"strh", AVI_STREAM_FRAMES_AT)):
        at = content.index(chunk) + 8 + offset
        (stated,) = struct.unpack_from("<I", content, at)
        struct.pack_into("<I", content, at, stated + FRAMES_CLAIMED)
    with whole_file(path) as part:
        part.write_bytes(content)


_SPOILERS: dict[str, Callable[[Path], None]] = {
    "unreadable_file": _make_noise,
    "truncated_file": _truncate,
    "missing_file": Path.unlink,
    "wrong_frame_count": _state_too_many_frames,
}
