"""A dataset in the making: prepared clips come in one after another, a complete dataset folder goes out.

Frames and a journal grow together in `.draft`; after a kill at any instant, what the journal holds is whole and
the rest is cut off. The journal stays in the finished dataset as `ingest.jsonl`, so that a later ingest can take
over the clips that have not changed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BufferedRandom, TextIOWrapper
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl

from apical.dataset import EXCLUSION_COLUMNS, TRACE_COLUMNS, Dataset, DatasetCard, clip_schema
from apical.errors import ApicalError
from apical.journal import Entry, FrameBytes, entry_from, line_of, whole_entry

__all__ = ["AUDIT", "Draft"]

TABLES = ("clips.parquet", "traces.parquet", "exclusions.csv")
"""Made from the journal, in this order."""
AUDIT = "deidentification.csv"
CLIPS_AT_ONCE = 2000
COPY_BYTES = 16 * 2**20


class Draft:
    """The unfinished dataset of `folder`, locked against a second process while it is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / ".draft"
        self.parts = self.work / "parts"

    def __enter__(self) -> Draft:
        self.work.mkdir(parents=True, exist_ok=True)
        self._lock = (self.work / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ApicalError(
                "Another process is writing this dataset",
                where=str(self.folder),
                remedy="Wait until it has ended.",
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in ("_frames", "_journal"):
            if name in self.__dict__:
                self.__dict__[name].close()
        if {path.name for path in self.work.iterdir()} <= {"lock", "parts"}:
            shutil.rmtree(self.work)
        self._lock.close()

    def resume(self, fingerprints: list[str]) -> int:
        """Keep what an interrupted ingest of the same clips left; return how many clips that is."""
        self._frames: BufferedRandom = self._open("frames.u8")
        journal = self._open("journal.jsonl")
        kept = journal_end = frames_end = 0
        frames_size = self._frames.seek(0, 2)
        for line in journal:
            entry = whole_entry(line)
            if (
                entry is None
                or kept == len(fingerprints)
                or entry.fingerprint != fingerprints[kept]
                or entry.is_transient
                or frames_end + entry.num_bytes > frames_size
            ):
                break
            kept, journal_end, frames_end = kept + 1, journal_end + len(line), frames_end + entry.num_bytes
        journal.truncate(journal_end)
        journal.close()
        self._frames.truncate(frames_end)
        self._frames.seek(frames_end)
        shutil.rmtree(self.parts, ignore_errors=True)
        self.parts.mkdir()
        self._journal: TextIOWrapper = (self.work / "journal.jsonl").open("a", encoding="utf-8")
        return kept

    def append(self, entry: Entry, frames: FrameBytes | None) -> None:
        """Add a clip: its frames first, then the line that vouches for them."""
        try:
            if frames is not None:
                assert frames.num_bytes == entry.num_bytes
                _copy(frames, self._frames)
            self._journal.write(line_of(entry))
            self._journal.flush()
        except OSError as error:
            raise ApicalError(
                "The dataset can't be written",
                where=str(self.folder),
                seen=error.strerror,
                remedy="Free some space and run the same command again: it continues here.",
            ) from None

    def entries(self) -> Iterator[Entry]:
        """All clips so far, read back from the journal."""
        with (self.work / "journal.jsonl").open("rb") as journal:
            for line in journal:
                yield entry_from(line)

    def finish(self, card: DatasetCard) -> Dataset:
        """Turn the draft into the dataset; a kill on the way leaves either the old one, the new one, or a draft."""
        self._frames.close()
        self._journal.close()
        _write_tables(self)
        card = replace(card, content_sha256=self._content_hash())
        card.write(self.work / "dataset.json")
        self.complete()
        return Dataset.open(self.folder)

    def complete(self) -> bool:
        """Move a whole draft into place; false when it is not whole. Repeated after a kill, it goes on."""
        if not (self.work / "dataset.json").is_file():
            return False
        (self.folder / "dataset.json").unlink(missing_ok=True)
        names = ("frames.u8", *TABLES, AUDIT)
        moves = {name: name for name in names} | {"journal.jsonl": "ingest.jsonl"}
        for name, final in moves.items():
            if (self.work / name).exists():
                (self.work / name).replace(self.folder / final)
        (self.work / "dataset.json").replace(self.folder / "dataset.json")
        shutil.rmtree(self.parts, ignore_errors=True)
        return True

    def _open(self, name: str) -> BufferedRandom:
        path = self.work / name
        path.touch()
        return path.open("r+b")

    def _content_hash(self) -> str:
        """Hash of the frames and of the rows, which do not depend on this machine's paths or library versions."""
        digest = hashlib.sha256()
        for entry in self.entries():
            content = [entry.frames_sha256, entry.clip, entry.traces, entry.faults]
            digest.update(json.dumps(content, sort_keys=True).encode())
        return digest.hexdigest()


def _copy(frames: FrameBytes, out: BufferedRandom) -> None:
    """Append frames from another file, within the kernel where it can."""
    left = frames.num_bytes
    with frames.path.open("rb") as file:
        file.seek(frames.offset)
        while left and hasattr(os, "copy_file_range"):
            copied = os.copy_file_range(file.fileno(), out.fileno(), left)
            if not copied:
                break
            left -= copied
        while left and (block := file.read(min(left, COPY_BYTES))):
            out.write(block)
            left -= len(block)
    out.flush()
    if left:
        raise OSError(errno.EIO, "a file with frames is shorter than it was")


def _write_tables(draft: Draft) -> None:
    """Turn the journal into tables, some thousand clips at a time: rows of Python objects are large."""
    labels = _label_kinds(draft.entries())
    schemas = {
        "clips.parquet": clip_schema(labels, (name for name, is_text in labels.items() if is_text)),
        "traces.parquet": pl.Schema(TRACE_COLUMNS),
        "exclusions.csv": pl.Schema(EXCLUSION_COLUMNS),
    }
    tables = {name: [pl.DataFrame(schema=schema)] for name, schema in schemas.items()}
    offset = 0
    for batch in _batched(draft.entries(), CLIPS_AT_ONCE):
        clips: list[Mapping[str, Any]] = []
        for entry in batch:
            clips.append({**entry.clip, "offset": offset if entry.num_bytes else None})
            offset += entry.num_bytes
        traces = [row for entry in batch for row in entry.traces]
        faults = [row for entry in batch for row in entry.faults]
        for name, part in zip(TABLES, (clips, traces, faults), strict=True):
            tables[name].append(pl.DataFrame(part, schema=schemas[name]))
    clips_table, traces_table, exclusions_table = (pl.concat(tables[name]) for name in TABLES)
    clips_table.write_parquet(draft.work / "clips.parquet")
    traces_table.write_parquet(draft.work / "traces.parquet")
    exclusions_table.write_csv(draft.work / "exclusions.csv")


def _label_kinds(entries: Iterator[Entry]) -> dict[str, bool]:
    """The label columns, and whether each holds words rather than numbers."""
    known = clip_schema((), ())
    kinds: dict[str, bool] = {}
    for entry in entries:
        for name, value in entry.clip.items():
            if name not in known:
                kinds[name] = kinds.get(name, False) or isinstance(value, str)
    return kinds


def _batched(items: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    """Lists of up to `size` items."""
    while batch := list(islice(items, size)):
        yield batch
