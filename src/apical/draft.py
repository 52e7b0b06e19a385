"""A dataset in the making: prepared clips come in one after another, a complete dataset folder goes out.

Frames and a journal grow together in `.draft`; after a kill at any instant, what the journal holds is whole and
the rest is cut off. The journal stays in the finished dataset as `ingest.jsonl`, so that a later ingest can take
over the clips that have not changed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import BufferedRandom, TextIOWrapper
from pathlib import Path
from types import TracebackType

from apical.dataset import Dataset, DatasetCard
from apical.errors import writing
from apical.journal import Entry, FrameBytes, Kept, entry_from, line_of, whole_entries
from apical.lock import Lock
from apical.tables import TABLES, write_tables

__all__ = ["AUDIT", "Draft"]

AUDIT = "deidentification.csv"
FINAL_NAMES = {"journal.jsonl": "ingest.jsonl"}
COPY_BYTES = 16 * 2**20


class Draft:
    """The unfinished dataset of `folder`, locked against a second process while it is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / ".draft"
        self.parts = self.work / f"parts-{uuid.uuid4().hex}"
        """Of this run alone: a worker that outlives its parent finds no folder to write to."""
        self._frames: BufferedRandom | None = None
        self._journal: TextIOWrapper | None = None

    def __enter__(self) -> Draft:
        with writing(str(self.folder)):
            self.work.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.work / "lock", f"writes the dataset in {self.folder}")
            self._remove_parts()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._frames, self._journal):
            with suppress(OSError):  # what a full disk did not take is cut off by the next run
                if file is not None:
                    file.close()
        self._remove_parts()
        if {path.name for path in self.work.iterdir()} <= {"lock"}:
            shutil.rmtree(self.work)
        self._lock.release()

    def resume(self, fingerprints: list[str]) -> int:
        """Keep what an interrupted ingest of the same clips left; return how many clips that is.

        If it was of other clips, or one is worth another try, what it prepared is set aside to be taken over.
        """
        with writing(str(self.folder)):
            kept = self._kept_in_place(fingerprints)
            self.parts.mkdir()
            self._frames = (self.work / "frames.u8").open("ab+")
            self._journal = (self.work / "journal.jsonl").open("a", encoding="utf-8")
        return kept

    def is_finished(self, fingerprints: list[str]) -> bool:
        """Whether the finished dataset holds these very clips, in this order."""
        return any(finished.is_all_of(fingerprints) for finished in self._finished())

    def kept(self) -> list[Kept]:
        """What earlier ingests prepared: the finished dataset, and drafts that `resume` set aside."""
        earlier = sorted(self.work.glob("earlier-*.jsonl"))
        return [*self._finished(), *(Kept(path, path.with_suffix(".u8")) for path in earlier)]

    def _finished(self) -> list[Kept]:
        """The finished dataset, if there is one."""
        if not (self.folder / "dataset.json").is_file():
            return []
        return [Kept(self.folder / "ingest.jsonl", self.folder / "frames.u8")]

    def part(self, number: int, in_flight: int) -> Path:
        """Where a worker leaves the frames of clip `number`, while at most `in_flight` clips are under way.

        The files are used again and again: writing over pages is eight times as fast as making them.
        """
        return self.parts / f"{number % in_flight}.u8"

    def append(self, entry: Entry, frames: FrameBytes | None) -> None:
        """Add a clip: its frames first, then the line that vouches for them."""
        assert self._frames is not None
        assert self._journal is not None
        with writing(str(self.folder)):
            if frames is not None:
                entry = replace(entry, frames_sha256=_copy(frames, self._frames, entry.frames_sha256))
            self._journal.write(line_of(entry))
            self._journal.flush()

    def entries(self) -> Iterator[Entry]:
        """All clips so far, read back from the journal."""
        with (self.work / "journal.jsonl").open("rb") as journal:
            for line in journal:
                yield entry_from(line)

    def finish(self, card: DatasetCard) -> Dataset:
        """Turn the draft into the dataset; a kill on the way leaves either the old one, the new one, or a draft."""
        assert self._frames is not None
        assert self._journal is not None
        with writing(str(self.folder)):
            for file in (self._frames, self._journal):
                os.fsync(file.fileno())
                file.close()
            write_tables(self.entries, self.work)
            replace(card, content_sha256=self._content_hash()).write(self.work / "dataset.json")
            self.complete()
        return Dataset.open(self.folder)

    def complete(self) -> bool:
        """Move a whole draft into place; false when it is not whole. Repeated after a kill, it goes on."""
        if not (self.work / "dataset.json").is_file():
            return False
        (self.folder / "dataset.json").unlink(missing_ok=True)
        for name in (AUDIT, *TABLES, "frames.u8", "journal.jsonl"):
            if (self.work / name).exists():
                (self.work / name).replace(self.folder / FINAL_NAMES.get(name, name))
        for earlier in self.work.glob("earlier-*"):
            earlier.unlink()
        (self.work / "dataset.json").replace(self.folder / "dataset.json")
        return True

    def _kept_in_place(self, fingerprints: list[str]) -> int:
        journal, frames = self.work / "journal.jsonl", self.work / "frames.u8"
        prints: list[str | None] = []
        journal_end = frames_end = 0
        for entry, length in whole_entries(journal, frames):
            prints.append(None if entry.is_transient else entry.fingerprint)
            journal_end, frames_end = journal_end + length, frames_end + entry.num_bytes
        _cut(journal, journal_end)
        _cut(frames, frames_end)
        if prints == fingerprints[: len(prints)]:
            return len(prints)
        number = len(list(self.work.glob("earlier-*.jsonl")))
        frames.replace(self.work / f"earlier-{number}.u8")
        journal.replace(self.work / f"earlier-{number}.jsonl")
        return 0

    def _content_hash(self) -> str:
        """Hash of the frames and of the rows, which do not depend on this machine's paths or library versions."""
        digest = hashlib.sha256()
        for entry in self.entries():
            content = [entry.frames_sha256, entry.clip, entry.traces, entry.faults]
            digest.update(json.dumps(content, sort_keys=True).encode())
        return digest.hexdigest()

    def _remove_parts(self) -> None:
        for parts in self.work.glob("parts-*"):
            shutil.rmtree(parts, ignore_errors=True)


def _cut(path: Path, length: int) -> None:
    if path.exists() and path.stat().st_size > length:
        os.truncate(path, length)


def _copy(frames: FrameBytes, out: BufferedRandom, expected_sha256: str | None) -> str:
    """Append frames from another file and return their SHA-256, which must be the one they had before."""
    left = frames.num_bytes
    digest = hashlib.sha256()
    with frames.path.open("rb", buffering=0) as file:
        file.seek(frames.offset)
        while left and (block := file.read(min(left, COPY_BYTES))):
            digest.update(block)
            out.write(block)
            left -= len(block)
    out.flush()
    if left or expected_sha256 not in (None, digest.hexdigest()):
        raise OSError(errno.EIO, f"{frames.path.name} no longer holds the frames that were written to it")
    return digest.hexdigest()
