"""What becomes of a clip in the tables: its record and its preparation come in, a journal entry goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from apical.dataset import CLIP_COLUMNS
from apical.journal import Entry
from apical.pixels.task import Prepared
from apical.sources.base import ClipRecord, Fault

__all__ = ["entry_of"]


def entry_of(
    record: ClipRecord, prepared: Prepared, fingerprint: str, labels: Sequence[str], source_path: str | None
) -> Entry:
    """The entry of a clip; without frames it is excluded, for the first reason that costs the clip."""
    source_path = source_path and _as_text(source_path)
    faults = [*record.faults, *prepared.faults]
    if prepared.frames is None and not any(fault.level == "clip" for fault in faults):
        faults.append(Fault(level="clip", reason="it is listed, but has no file"))
    excluded = next((fault.reason for fault in faults if fault.level == "clip"), None)
    return Entry(
        fingerprint=fingerprint,
        clip={
            **_described(record),
            "source_path": source_path,
            **prepared.columns,
            **{name: record.labels.get(name) for name in labels},
            "excluded": excluded,
        },
        traces=prepared.traces,
        faults=tuple({"clip": record.clip, "source_path": source_path, **asdict(fault)} for fault in faults),
        num_bytes=prepared.frames.num_bytes if prepared.frames else 0,
        audit=prepared.audit,
    )


def _as_text(path: str) -> str:
    """A path that any file can hold: names on disk are bytes, and not all of them are text."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _described(record: ClipRecord) -> dict[str, Any]:
    """The columns that need no decoding."""
    return {
        **dict.fromkeys(CLIP_COLUMNS),
        "clip": record.clip,
        "patient": record.patient,
        "study": record.study,
        "echo_view": record.echo_view,
        "split": record.split,
        "is_cine": record.is_cine,
        "num_frames": 0,
        "source_files": len(record.files),
    }
