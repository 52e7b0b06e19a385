"""The journal of an ingest: what became of each clip goes in as a line, and comes out again to resume or to reuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Entry", "Finished", "FrameBytes", "entry_from", "line_of", "whole_entry"]


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


class Finished:
    """The clips of a complete dataset, by fingerprint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[str, tuple[int, int]] = {}
        self.order: list[str] = []
        journal = folder / "ingest.jsonl"
        if (folder / "dataset.json").is_file() and journal.is_file():
            self._index(journal)

    def _index(self, journal: Path) -> None:
        frames_at = line_at = 0
        with journal.open("rb") as file:
            for line in file:
                entry = json.loads(line)
                if not entry["is_transient"]:
                    self._places[entry["fingerprint"]] = line_at, frames_at
                self.order.append(entry["fingerprint"])
                frames_at += entry["num_bytes"]
                line_at += len(line)

    def is_current(self, fingerprints: list[str]) -> bool:
        """Whether these very clips, in this order, are all there."""
        return fingerprints == self.order and all(print_ in self._places for print_ in fingerprints)

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in self._places

    def find(self, fingerprint: str) -> tuple[Entry, FrameBytes]:
        """The entry of an unchanged clip, and where its frames are."""
        line_at, frames_at = self._places[fingerprint]
        with (self.folder / "ingest.jsonl").open("rb") as journal:
            journal.seek(line_at)
            entry = entry_from(journal.readline())
        return entry, FrameBytes(self.folder / "frames.u8", frames_at, entry.num_bytes)


def line_of(entry: Entry) -> str:
    """The entry as a line."""
    values = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False) + "\n"


def entry_from(line: bytes) -> Entry:
    """The entry of a whole line."""
    values = json.loads(line)
    return Entry(**{**values, "traces": tuple(values["traces"]), "faults": tuple(values["faults"])})


def whole_entry(line: bytes) -> Entry | None:
    """The entry of a line, or None when a kill cut it short."""
    if not line.endswith(b"\n"):
        return None
    try:
        return entry_from(line)
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError):
        return None
