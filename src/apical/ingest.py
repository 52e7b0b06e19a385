"""Ingest: a data set on disk comes in, one fast, checked, de-identified dataset folder goes out.

Clips are decoded in worker processes and written in the source's order. A run that was interrupted continues where
it stopped; a second run redoes only what changed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from apical import registry
from apical.config import Config, read_config
from apical.dataset import Dataset, DatasetCard
from apical.deidentification import Deidentifier, write_audit
from apical.draft import Draft
from apical.entries import entry_of
from apical.errors import ApicalError
from apical.journal import Entry, Finished, FrameBytes
from apical.pixels.task import Prepared, Settings, Task
from apical.progress import Progress, progress
from apical.sources.base import ClipRecord, Fault, MaskFile, Source
from apical.splits import OnConflict, settle_splits
from apical.version import VERSION
from apical.workers import Crash, available_cores, ordered_map

__all__ = ["IngestConfig", "ingest"]

PREPARATION = 1
"""Raised whenever the same files would give other rows or pixels, so that old ones are not taken over."""
PHANTOM_CARD = "phantom.json"
"""Lies in every folder of synthetic data."""


class IngestConfig(Config):
    """How a data set becomes a dataset."""

    height: int | None = None
    """Height of stored frames in pixels; the source's working size unless given."""
    width: int | None = None
    """Width of stored frames in pixels."""
    fit: Literal["stretch", "pad"] | None = None
    """Stretch both sides to the stored size, or keep the shape and add black; the source's way unless given."""
    blanks_outside_sector: bool = True
    """Make everything outside the ultrasound sector black."""
    on_split_conflict: OnConflict = "error"
    """A patient in two splits: stop, leave out the patient's clips, or put all of them into the most held-out split."""
    pseudonyms: bool | None = None
    """Replace patient, study, clip and file names by keyed hashes; on for sources whose names identify patients."""
    thumbnails: bool = False
    """Draw each clip before and after blanking, into the private folder beside the dataset."""
    processes: int | None = None
    """Worker processes; as many as cores unless given."""
    timeout_s: float = 60.0
    """Longest time for one clip, after which it is left out."""
    memory_mb: int = 1024
    """Most memory that decoding one clip may take."""


def ingest(source: str, folder: Path, out: Path, overrides: Sequence[str] = ()) -> Dataset:
    """Turn the data set in `folder`, laid out as `source`, into the dataset folder `out`."""
    config = read_config(IngestConfig, overrides=overrides)
    job = _Job(source, registry.load("sources", source)(), _checked(folder, out), out, config)
    with Draft(out) as draft:
        draft.complete()
        finished = Finished(out)
        if finished.is_current(job.fingerprints):
            return Dataset.open(out)
        done = draft.resume(job.fingerprints)
        with progress("Ingesting", len(job.records), "clips") as bar:
            bar.advance(done, "taken over")
            _fill(draft, job, finished, done, bar)
        write_audit(draft)
        return draft.finish(_card(job, draft))


@dataclass(frozen=True)
class _Job:
    """All that one ingest is about."""

    name: str
    source: Source
    folder: Path
    out: Path
    config: IngestConfig

    @cached_property
    def deidentifier(self) -> Deidentifier:
        wanted = self.config.pseudonyms
        return Deidentifier(self.out, self.source.is_identifying if wanted is None else wanted)

    @cached_property
    def records(self) -> list[ClipRecord]:
        scanned = settle_splits(list(self.source.scan(self.folder)), self.config.on_split_conflict)
        if not scanned:
            raise ApicalError(
                "No clips were found", where=str(self.folder), remedy=f"Check that it is {self.source.title}."
            )
        return self.deidentifier.records(scanned)

    @cached_property
    def settings(self) -> Settings:
        source, config = self.source, self.config
        return Settings(
            height=config.height or source.height,
            width=config.width or source.width,
            fit=config.fit or source.fit,
            crops_to_sector=source.crops_to_sector,
            blanks_outside_sector=config.blanks_outside_sector,
            must_find_sector=source.is_identifying and config.blanks_outside_sector,
            expected_size=source.expected_size,
        )

    @cached_property
    def fingerprints(self) -> list[str]:
        common = repr((PREPARATION, self.name, self.settings))
        return [_fingerprint(common, self.folder, record) for record in self.records]

    def task(self, record: ClipRecord, parts: Path) -> Task:
        thumbnails = None
        if self.config.thumbnails:
            thumbnails = self.deidentifier.private / "thumbnails"
            thumbnails.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Task(
            folder=self.folder,
            record=record,
            settings=self.settings,
            frames_path=parts / f"{record.clip}.u8",
            thumbnails=thumbnails,
        )

    def entry(self, record: ClipRecord, print_: str, prepared: Prepared) -> Entry:
        source_path = self.deidentifier.source_path(record)
        return entry_of(record, prepared, print_, self.source.labels, source_path)


def _checked(folder: Path, out: Path) -> Path:
    if not folder.is_dir():
        raise ApicalError(
            "There is no such folder", where=str(folder), remedy="Give the folder of the data set."
        )
    if out.exists() and not out.is_dir():
        raise ApicalError(
            "A file stands where the dataset should go", where=str(out), remedy="Give another --out."
        )
    ours = {"dataset.json", ".draft"}
    if out.is_dir() and any(out.iterdir()) and not any((out / name).exists() for name in ours):
        raise ApicalError(
            "The folder holds something else",
            where=str(out),
            remedy="Give an empty or a new folder as --out.",
        )
    if folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise ApicalError(
            "The dataset would lie inside its own source", where=str(out), remedy="Give another --out."
        )
    return folder


def _fingerprint(common: str, folder: Path, record: ClipRecord) -> str:
    """Changes with the clip's description, with its files' sizes and times, and with how it is prepared."""
    files = {*record.files, *(trace.path for trace in record.traces if isinstance(trace, MaskFile))}
    stamps = []
    for file in sorted(files):
        path = folder / file
        stat = path.stat() if path.exists() else None
        stamps.append((str(file), stat and (stat.st_size, stat.st_mtime_ns)))
    return hashlib.sha256(repr((common, record, stamps)).encode("utf-8", "surrogateescape")).hexdigest()


def _fill(draft: Draft, job: _Job, finished: Finished, done: int, bar: Progress) -> None:
    """Append the clips from number `done` on: taken over from the finished dataset, known as faulty, or decoded."""
    pairs = list(zip(job.records, job.fingerprints, strict=True))[done:]
    to_decode = (
        job.task(record, draft.parts) for record, print_ in pairs if _must_decode(record, print_, finished)
    )
    results = ordered_map(
        Task.run,
        to_decode,
        processes=job.config.processes or available_cores(),
        timeout_s=job.config.timeout_s,
        memory_mb=job.config.memory_mb,
    )
    for record, print_ in pairs:
        entry, frames = _next_entry(job, record, print_, finished, results)
        draft.append(entry, frames)
        if frames is not None and frames.path.parent == draft.parts:
            frames.path.unlink()
        bar.advance()


def _must_decode(record: ClipRecord, print_: str, finished: Finished) -> bool:
    return not (_known_faulty(record) or print_ in finished)


def _known_faulty(record: ClipRecord) -> bool:
    return not record.files or any(fault.level == "clip" for fault in record.faults)


def _next_entry(
    job: _Job,
    record: ClipRecord,
    print_: str,
    finished: Finished,
    results: Iterator[Prepared | Crash | ApicalError],
) -> tuple[Entry, FrameBytes | None]:
    if print_ in finished:
        return finished.find(print_)
    if _known_faulty(record):
        return job.entry(record, print_, Prepared()), None
    result = next(results)
    if isinstance(result, Prepared):
        return job.entry(record, print_, result), result.frames
    reason = result.reason if isinstance(result, Crash) else result.what
    left_out = Prepared(faults=(Fault(level="clip", reason=reason),))
    return replace(job.entry(record, print_, left_out), is_transient=isinstance(result, Crash)), None


def _card(job: _Job, draft: Draft) -> DatasetCard:
    counts: Counter[str] = Counter()
    levels: Counter[str] = Counter(dict.fromkeys(("clip", "trace", "label", "note"), 0))
    patients = set()
    for entry in draft.entries():
        counts["clips"] += 1
        levels.update(fault["level"] for fault in entry.faults)
        if entry.clip["excluded"] is None:
            counts["usable_clips"] += 1
            counts["frames"] += entry.clip["num_frames"]
            counts["traced_frames"] += len({trace["frame"] for trace in entry.traces})
            patients.add(entry.clip["patient"])
    counts["patients"] = len(patients)
    return DatasetCard(
        source=job.name,
        **_origin(job),
        preprocessing=asdict(job.settings),
        counts=dict(counts),
        exclusions=dict(levels),
        content_sha256="",
        tool_version=VERSION,
    )


def _origin(job: _Job) -> dict[str, Any]:
    """Title, terms and citation: the source's, or those of synthetic data that only look like it."""
    source, phantom = job.source, job.folder / PHANTOM_CARD
    if phantom.is_file():
        card = json.loads(phantom.read_text(encoding="utf-8"))
        title = f"Synthetic hearts laid out as {source.title}"
        return {
            "title": title,
            "licence": card["licence"],
            "citation": "apical phantom",
            "url": "",
            "is_synthetic": True,
        }
    return {
        "title": source.title,
        "licence": source.licence,
        "citation": source.citation,
        "url": source.url,
        "is_synthetic": False,
    }
