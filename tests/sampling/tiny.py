"""Datasets small enough to check by hand: the first two pixels of a frame are its clip's row and its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from apical.dataset import CLIP_COLUMNS, TRACE_COLUMNS, Dataset, DatasetCard, clip_schema

CARD = DatasetCard(
    source="videos",
    title="Tiny",
    licence="none",
    citation="none",
    url="",
    is_synthetic=True,
    preprocessing={},
    counts={},
    exclusions={},
    content_sha256="",
    tool_version="0",
)


def tiny_dataset(
    folder: Path,
    lengths: Sequence[int],
    *,
    phases: Mapping[int, Mapping[str, int]] | None = None,
    height: int = 4,
    width: int = 5,
    **columns: Sequence[Any],
) -> Dataset:
    """Clips of these lengths, a patient each; `phases` has the traced frames by row and phase."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, frames, offset = [], [], 0
    for row, length in enumerate(lengths):
        own = {name: values[row] for name, values in columns.items()}
        rows.append(_clip(row, length, offset, height, width) | own)
        frames.append(_frames(row, length, height, width))
        offset += frames[-1].size
    clips = pl.DataFrame(rows, schema=clip_schema((), ()))
    clips.write_parquet(folder / "clips.parquet")
    traces = [
        dict.fromkeys(TRACE_COLUMNS) | {"clip": f"c{row}", "frame": frame, "phase": phase, "structure": "lv"}
        for row, traced in (phases or {}).items()
        for phase, frame in traced.items()
    ]
    pl.DataFrame(traces, schema=pl.Schema(TRACE_COLUMNS)).write_parquet(folder / "traces.parquet")
    np.concatenate([part.ravel() for part in frames]).tofile(folder / "frames.u8")
    return Dataset(folder, CARD)


def _clip(row: int, length: int, offset: int, height: int, width: int) -> dict[str, Any]:
    return dict.fromkeys(CLIP_COLUMNS) | {
        "clip": f"c{row}",
        "patient": f"p{row}",
        "study": "s",
        "split": "train",
        "is_cine": True,
        "num_frames": length,
        "height": height,
        "width": width,
        "offset": offset,
    }


def _frames(row: int, length: int, height: int, width: int) -> np.ndarray:
    frames = np.random.default_rng(row).integers(0, 256, (length, height, width), np.uint8)
    frames[:, 0, 0] = row
    frames[:, 0, 1] = np.arange(length)
    return frames
