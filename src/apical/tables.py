"""From a journal to a dataset's tables: entries come in, `clips`, `traces` and `exclusions` are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from apical.dataset import EXCLUSION_COLUMNS, TRACE_COLUMNS, clip_schema
from apical.journal import Entry

__all__ = ["TABLES", "write_tables"]

TABLES = ("clips.parquet", "traces.parquet", "exclusions.csv")
CLIPS_AT_ONCE = 2000


def write_tables(entries: Callable[[], Iterator[Entry]], folder: Path) -> None:
    """Write the three tables, some thousand clips at a time: rows of Python objects are large."""
    labels = _label_kinds(entries())
    schemas = {
        "clips.parquet": clip_schema(labels, (name for name, is_text in labels.items() if is_text)),
        "traces.parquet": pl.Schema(TRACE_COLUMNS),
        "exclusions.csv": pl.Schema(EXCLUSION_COLUMNS),
    }
    tables = {name: [pl.DataFrame(schema=schema)] for name, schema in schemas.items()}
    offset = 0
    for batch in _batches(entries()):
        clips: list[Mapping[str, Any]] = []
        for entry in batch:
            clips.append({**entry.clip, "offset": offset if entry.num_bytes else None})
            offset += entry.num_bytes
        traces = [row for entry in batch for row in entry.traces]
        faults = [row for entry in batch for row in entry.faults]
        for name, part in zip(TABLES, (clips, traces, faults), strict=True):
            tables[name].append(pl.DataFrame(part, schema=schemas[name]))
    clips_table, traces_table, exclusions_table = (pl.concat(tables[name]) for name in TABLES)
    clips_table.write_parquet(folder / "clips.parquet")
    traces_table.write_parquet(folder / "traces.parquet")
    exclusions_table.write_csv(folder / "exclusions.csv")


def _label_kinds(entries: Iterator[Entry]) -> dict[str, bool]:
    """The label columns, and whether each holds words rather than numbers."""
    known = clip_schema((), ())
    kinds: dict[str, bool] = {}
    for entry in entries:
        for name, value in entry.clip.items():
            if name not in known:
                kinds[name] = kinds.get(name, False) or isinstance(value, str)
    return kinds


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, CLIPS_AT_ONCE)):
        yield batch
