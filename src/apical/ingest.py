"""Ingest: a data set on disk comes in, one fast, checked, de-identified dataset folder goes out.

Clips are decoded in worker processes and written in the source's order. A run that was interrupted continues where
it stopped; a second run redoes only what changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from apical import registry
from apical.cards import card_of
from apical.config import Config, read_config
from apical.dataset import Dataset, DatasetCard
from apical.deidentification import Deidentifier, write_audit
from apical.draft import Draft
from apical.entries import entry_of
from apical.errors import ApicalError, MachineError, writing
from apical.journal import Entry, FrameBytes, Kept
from apical.pixels.task import Prepared, Settings, Task
from apical.progress import Progress, progress
from apical.sources.base import ClipRecord, Fault, MaskFile, Source
from apical.split_file import with_splits
from apical.splits import OnConflict, settle_splits
from apical.workers import Crash, available_cores, most_in_flight, ordered_map

__all__ = ["IngestConfig", "ingest"]

PREPARATION = 1
"""Raised whenever the same files would give other rows or pixels, so that old ones are not taken over."""


class IngestConfig(Config):
    """How a data set becomes a dataset."""

    height: int | None = Field(default=None, gt=0, le=4096)
    """Height of stored frames in pixels; the source's working size unless given."""
    width: int | None = Field(default=None, gt=0, le=4096)
    """Width of stored frames in pixels."""
    fit: Literal["stretch", "pad"] | None = None
    """Stretch both sides to the stored size, or keep the shape and add black; the source's way unless given."""
    blanks_outside_sector: bool = True
    """Make everything outside the ultrasound sector black."""
    on_split_conflict: OnConflict = "error"
    """A patient in two splits: stop, leave out the patient's clips, or put all of them into the most held-out split."""
    allow_leakage: bool = False
    """Keep patients in two splits as they are, to repeat what others did; the dataset and all made of it say so."""
    splits: str | None = None
    """A CSV file with the columns clip and split, which takes the place of the source's own splits.

    A clip that it lacks goes with its patient, if the file has the patient in one split alone; else it has none.
    """
    pseudonyms: bool | None = None
    """Replace patient, study, clip and file names by keyed hashes; on for sources whose names identify patients."""
    thumbnails: bool = False
    """Draw each clip before and after blanking, into the private folder beside the dataset."""
    processes: int | None = Field(default=None, gt=0)
    """Worker processes; as many as cores unless given."""
    timeout_s: float = Field(default=60.0, gt=0)
    """Longest time for one clip, after which it is left out."""
    memory_mb: int = Field(default=1024, ge=256)
    """Most memory that decoding one clip may take."""


def ingest(source: str, folder: Path, out: Path, overrides: Sequence[str] = ()) -> Dataset:
    """Turn the data set in `folder`, laid out as `source`, into the dataset folder `out`."""
    config = read_config(IngestConfig, overrides=overrides)
    job = _Job(source, registry.load("sources", source)(), folder, out, config)
    _check_places(job)
    num_clips = len(job.fingerprints)
    with Draft(out) as draft:
        draft.complete()
        if draft.is_finished(job.fingerprints) and not job.wants_thumbnails():
            return Dataset.open(out)
        done = draft.resume(job.fingerprints)
        with progress("Ingesting", num_clips, "clips", done) as bar:
            _fill(draft, job, draft.kept(), done, bar)
        write_audit(draft)
        card = card_of(job.name, job.source, job.folder, job.settings, draft.entries())
        return draft.finish(_checked(card, out))


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
        scanned = list(self.source.scan(self.folder))
        if not scanned:
            raise ApicalError(
                "No clips were found", where=str(self.folder), remedy=f"Check that it is {self.source.title}."
            )
        records = self.deidentifier.records(scanned)
        if self.config.splits is not None:
            records = with_splits(records, [record.clip for record in scanned], Path(self.config.splits))
        if self.config.allow_leakage:
            return records
        return settle_splits(records, self.config.on_split_conflict)

    @cached_property
    def settings(self) -> Settings:
        source, config = self.source, self.config
        return Settings(
            height=config.height or source.height,
            width=config.width or source.width,
            fit=config.fit or source.fit,
            crops_to_sector=source.crops_to_sector,
            blanks_outside_sector=config.blanks_outside_sector,
            must_find_sector=self.deidentifier.is_on and config.blanks_outside_sector,
            expected_size=source.expected_size,
        )

    @cached_property
    def fingerprints(self) -> list[str]:
        common = repr((PREPARATION, self.name, self.settings))
        return [
            self.deidentifier.digest(common + _description(self.folder, record)) for record in self.records
        ]

    @cached_property
    def thumbnails(self) -> Path | None:
        """Where pictures from before and after blanking go."""
        return self.deidentifier.private / "thumbnails" if self.config.thumbnails else None

    def wants_thumbnails(self) -> bool:
        """Whether a clip has yet to be drawn."""
        return any(self.wants_thumbnail(record) for record in self.records)

    def wants_thumbnail(self, record: ClipRecord) -> bool:
        if self.thumbnails is None or _known_faulty(record):
            return False
        return not (self.thumbnails / f"{record.clip}.png").exists()

    def task(self, record: ClipRecord, frames_path: Path) -> Task:
        if self.thumbnails:
            with writing(str(self.thumbnails)):
                self.thumbnails.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Task(
            folder=self.folder,
            record=record,
            settings=self.settings,
            frames_path=frames_path,
            thumbnails=self.thumbnails,
        )

    def entry(self, clip: _Clip, prepared: Prepared) -> Entry:
        source_path = self.deidentifier.source_path(clip.record)
        return entry_of(clip.record, prepared, clip.fingerprint, self.source.labels, source_path)


def _check_places(job: _Job) -> None:
    """Refuse a wrong folder before anything is written."""
    folder, out = job.folder, job.out
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
    if (out / "dataset.json").is_file() and (held := Dataset.open(out).card.source) != job.name:
        raise ApicalError(
            f"The folder holds a dataset of the source {held}", where=str(out), remedy="Give another --out."
        )


def _description(folder: Path, record: ClipRecord) -> str:
    """All that a clip is made of: its record, and its files' sizes and times."""
    masks = {trace.path for trace in record.traces if isinstance(trace, MaskFile)}
    stamps = []
    for file in sorted({*record.files, *record.companions, *masks}):
        path = folder / file
        stat = path.stat() if path.exists() else None
        stamps.append((str(file), stat and (stat.st_size, stat.st_mtime_ns)))
    return repr((record, stamps))


def _checked(card: DatasetCard, out: Path) -> DatasetCard:
    """The card, unless it would put a dataset without clips in the place of one that has some."""
    if card.counts["usable_clips"] == 0 and (out / "dataset.json").is_file():
        raise ApicalError(
            "No clip can be used any more, so the dataset is left as it was",
            where=str(out),
            remedy="Check the data set's folder and the settings; exclusions would name every clip.",
        )
    return card


def _fill(draft: Draft, job: _Job, kept: Sequence[Kept], done: int, bar: Progress) -> None:
    """Append the clips from number `done` on: taken over from an earlier ingest, known as faulty, or decoded."""
    clips = [
        _Clip(record, print_, None if job.wants_thumbnail(record) else _holder(kept, print_))
        for record, print_ in zip(job.records[done:], job.fingerprints[done:], strict=True)
    ]
    processes = job.config.processes or available_cores()
    to_decode = (clip.record for clip in clips if not (clip.holder or _known_faulty(clip.record)))
    results = ordered_map(
        Task.run,
        (
            job.task(record, draft.part(number, most_in_flight(processes)))
            for number, record in enumerate(to_decode)
        ),
        processes=processes,
        timeout_s=job.config.timeout_s,
        memory_mb=job.config.memory_mb,
    )
    for clip in clips:
        draft.append(*_next_entry(job, clip, results))
        bar.advance()


class _Clip(NamedTuple):
    record: ClipRecord
    fingerprint: str
    holder: Kept | None
    """The earlier ingest that it can be taken over from."""


def _holder(kept: Sequence[Kept], fingerprint: str) -> Kept | None:
    return next((each for each in kept if fingerprint in each), None)


def _known_faulty(record: ClipRecord) -> bool:
    return not record.files or any(fault.level == "clip" for fault in record.faults)


def _next_entry(
    job: _Job, clip: _Clip, results: Iterator[Prepared | Crash | ApicalError]
) -> tuple[Entry, FrameBytes | None]:
    if clip.holder:
        return clip.holder.find(clip.fingerprint)
    if _known_faulty(clip.record):
        return job.entry(clip, Prepared()), None
    result = next(results)
    if isinstance(result, MachineError):
        raise result
    if isinstance(result, Prepared):
        return job.entry(clip, result), result.frames
    reason = result.reason if isinstance(result, Crash) else result.what
    left_out = Prepared(faults=(Fault(level="clip", reason=reason),))
    return replace(job.entry(clip, left_out), is_transient=isinstance(result, Crash)), None
