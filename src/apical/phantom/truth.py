"""The truth beside a written layout: renderings come in, rows of what was drawn and true masks go out.

`phantom_truth/clips.parquet` has one row a clip, `phantom_truth/masks.parquet` one row a mask as run lengths;
a clip's `path` below the layout's folder is the key of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from apical import runlength
from apical.phantom.clip import PhantomClip
from apical.phantom.layouts.base import Layout
from apical.phantom.patient import Patient
from apical.phantom.plan import Rendering, WrittenClip
from apical.phantom.tables import Row
from apical.whole import whole_file

__all__ = ["CLIP_COLUMNS", "MASK_COLUMNS", "clip_truth", "mask_truth", "write_truth"]

CLIP_COLUMNS: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "path": pl.String,
    "patient": pl.String,
    "study": pl.String,
    "echo_view": pl.String,
    "split": pl.String,
    "quirk": pl.String,
    "labels": pl.List(pl.String),
    "edv_ml": pl.Float64,
    "esv_ml": pl.Float64,
    "ef_percent": pl.Float64,
    "ivs_cm": pl.Float64,
    "lvid_cm": pl.Float64,
    "lvpw_cm": pl.Float64,
    "lvid_systole_cm": pl.Float64,
    "is_hypertrophic": pl.Boolean,
    "as_grade": pl.String,
    "spacing_mm_y": pl.Float64,
    "spacing_mm_x": pl.Float64,
    "height": pl.Int64,
    "width": pl.Int64,
    "fps_hz": pl.Float64,
    "num_frames": pl.Int64,
    "ed_frame": pl.Int64,
    "es_frame": pl.Int64,
    "traced_frames": pl.List(pl.Int64),
    "fan_top": pl.Int64,
    "fan_left": pl.Int64,
    "fan_bottom": pl.Int64,
    "fan_right": pl.Int64,
}
"""`labels` names the columns whose values the layout's own files tell of this clip."""

MASK_COLUMNS: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "path": pl.String,
    "frame": pl.Int64,
    "structure": pl.String,
    "height": pl.Int64,
    "width": pl.Int64,
    "runs": pl.List(pl.UInt32),
}
"""Frames that are traced, ED and ES; the structure `sector` is the fan and has no frame."""


def clip_truth(layout: Layout, rendering: Rendering) -> Row:
    """Tell what is true of one clip, as a row of `clips.parquet`."""
    plan, clip = rendering.plan, rendering.clip
    return {
        **{name: getattr(plan, name) for name in ("path", "patient", "study", "echo_view", "split", "quirk")},
        "labels": list(layout.labels_of(plan)),
        **_drawn(rendering.patient),
        "spacing_mm_y": clip.spacing_mm[0],
        "spacing_mm_x": clip.spacing_mm[1],
        "height": plan.height,
        "width": plan.width,
        "fps_hz": rendering.fps_hz,
        "num_frames": rendering.stop - rendering.start,
        "ed_frame": rendering.ed,
        "es_frame": rendering.es,
        "traced_frames": list(layout.traced_frames(rendering)),
        **_box(clip),
    }


def mask_truth(layout: Layout, rendering: Rendering) -> list[Row]:
    """Tell the true masks of one clip, as rows of `masks.parquet`."""
    frames = {*layout.traced_frames(rendering), *dict(rendering.phases).values()} or {0}
    rows = [_mask_row(rendering, None, "sector", rendering.clip.sector)]
    for frame in sorted(frames):
        masks = rendering.clip.masks(rendering.start + frame)
        rows += [_mask_row(rendering, frame, structure, mask) for structure, mask in sorted(masks.items())]
    return rows


def write_truth(folder: Path, clips: Sequence[WrittenClip]) -> None:
    """Write both tables."""
    tables = {
        "clips.parquet": pl.DataFrame([clip.truth for clip in clips], schema=pl.Schema(CLIP_COLUMNS)),
        "masks.parquet": pl.DataFrame(
            [row for clip in clips for row in clip.masks], schema=pl.Schema(MASK_COLUMNS)
        ),
    }
    for name, table in tables.items():
        with whole_file(folder / name) as part:
            table.write_parquet(part)


def _drawn(patient: Patient) -> Row:
    names = (
        "edv_ml", "esv_ml", "ef_percent", "ivs_cm", "lvid_cm", "lvpw_cm", "lvid_systole_cm",
        "is_hypertrophic", "as_grade",
    )  # fmt: skip
    return {name: getattr(patient, name) for name in names}


def _box(clip: PhantomClip) -> Row:
    """Box the fan in; bottom and right are one past the end."""
    rows, columns = np.flatnonzero(clip.sector.any(axis=1)), np.flatnonzero(clip.sector.any(axis=0))
    return {
        "fan_top": int(rows[0]),
        "fan_left": int(columns[0]),
        "fan_bottom": int(rows[-1]) + 1,
        "fan_right": int(columns[-1]) + 1,
    }


def _mask_row(rendering: Rendering, frame: int | None, structure: str, mask: np.ndarray) -> Row:
    height, width = mask.shape
    return {
        "path": rendering.plan.path,
        "frame": frame,
        "structure": structure,
        "height": height,
        "width": width,
        "runs": runlength.encode(mask),
    }
