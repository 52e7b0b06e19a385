"""The journal of an ingest: what became of each clip goes in as a line, and comes out again to resume or to reuse."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Entry", "FrameBytes", "Kept", "entry_from", "line_of", "whole_entries"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal line: a clip's rows in the tables, and how many bytes of frames it has."""

    fingerprint: str
    """Changes when the clip's files, its description, or its preparation change."""
    clip: Mapping[str, Any]
    traces: tuple[Mapping[str, Any], ...] = ()
    faults: tuple[Mapping[str, Any], ...] = ()
    num_bytes: int = 0
    frames_sha256: str | None = None
    is_transient: bool = False
    """Whether trying again may end differently: a decoder that hung, or a machine out of memory."""
    audit: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FrameBytes:
    """Frames that lie in a file."""

    path: Path
    offset: int
    num_bytes: int


class Kept:
    """Clips that an earlier ingest prepared, by fingerprint: its journal and its frames."""

    def __init__(self, journal: Path, frames: Path) -> None:
        self.journal, self.frames = journal, frames
        self.order: list[str] = []
        self._places: dict[str, tuple[int, int]] = {}
        line_at = frames_at = 0
        for entry, length in whole_entries(journal, frames):
            self.order.append(entry.fingerprint)
            if not entry.is_transient:
                self._places[entry.fingerprint] = line_at, frames_at
            line_at += length
            frames_at += entry.num_bytes

    def is_all_of(self, fingerprints: list[str]) -> bool:
        """Whether these very clips, in this order, are all there, and none is worth another try."""
        return fingerprints == self.order and all(print_ in self._places for print_ in fingerprints)

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in self._places

    def find(self, fingerprint: str) -> tuple[Entry, FrameBytes]:
        """The entry of an unchanged clip, and where its frames are."""
        line_at, frames_at = self._places[fingerprint]
        with self.journal.open("rb") as journal:
            journal.seek(line_at)
            entry = entry_from(journal.readline())
        return entry, FrameBytes(self.frames, frames_at, entry.num_bytes)


def whole_entries(journal: Path, frames: Path) -> Iterator[tuple[Entry, int]]:
    """Entries and their lines' lengths, up to the first that a kill cut short or whose frames are not all there."""
    if not (journal.is_file() and frames.is_file()):
        return
    left = frames.stat().st_size
    with journal.open("rb") as file:
        for line in file:
            entry = _whole_entry(line)
            if entry is None or entry.num_bytes > left:
                return
            left -= entry.num_bytes
            yield entry, len(line)


def line_of(entry: Entry) -> str:
    """The entry as a line."""
    values = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False) + "\n"


def entry_from(line: bytes) -> Entry:
    """The entry of a whole line."""
    values = json.loads(line)
    return Entry(**{**values, "traces": tuple(values["traces"]), "faults": tuple(values["faults"])})


def _whole_entry(line: bytes) -> Entry | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return entry_from(line)
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError):
        return None
