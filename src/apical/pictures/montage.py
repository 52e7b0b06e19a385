"""A montage of a dataset: one frame of many clips, with what experts traced drawn on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image, ImageDraw

from apical.dataset import Dataset

__all__ = ["CONTOUR_COLOURS", "draw_montage", "with_contours"]

CONTOUR_COLOURS = {"lv": (255, 210, 60), "myo": (90, 200, 250), "la": (240, 110, 160)}
"""Told apart by people with colour-blindness too, and by their place."""
TILE = 224
CAPTION = 30
COLUMNS = 5
MOST_TILES = 20

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def draw_montage(dataset: Dataset, path: Path) -> None:
    """Draw up to 20 usable clips, evenly spread over echo views and splits."""
    clips = _chosen(dataset)
    rows = max(1, -(-len(clips) // COLUMNS))
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * (TILE + CAPTION)), (24, 26, 30))
    for index, clip in enumerate(clips):
        row, column = divmod(index, COLUMNS)
        sheet.paste(_tile(dataset, clip), (column * TILE, row * (TILE + CAPTION)))
    sheet.save(path)


def with_contours(frame: Picture, masks: dict[str, Mask]) -> Picture:
    """The frame (H, W) in colour (H, W, 3), each mask's rim in its structure's colour."""
    picture = np.repeat(frame[..., None], 3, axis=2)
    for structure, mask in masks.items():
        picture[_rim(mask)] = CONTOUR_COLOURS.get(structure, (255, 255, 255))
    return picture


def _rim(mask: Mask) -> Mask:
    """Pixels of the mask with a neighbour outside it."""
    inner = np.pad(mask, 1)
    inside = inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
    return np.asarray(mask & ~inside)


def _chosen(dataset: Dataset) -> list[str]:
    """Clips in turn from each echo view and split, traced ones first."""
    traced = pl.col("clip").is_in(dataset.traces["clip"].unique().to_list())
    ordered = (
        dataset.usable_clips.with_columns(is_traced=traced)
        .sort("is_traced", descending=True, maintain_order=True)
        .with_columns(turn=pl.int_range(pl.len()).over("echo_view", "split"))
        .sort("turn", maintain_order=True)
    )
    return sorted(ordered["clip"].head(MOST_TILES).to_list())


def _tile(dataset: Dataset, clip: str) -> Image.Image:
    traces = dataset.traces.filter(pl.col("clip") == clip)
    row = dataset.clip_row(clip)
    frame, phase = _shown_frame(traces, row["num_frames"])
    size = _shown_size(row)
    pixels = Image.fromarray(dataset.clip_frames(clip)[frame]).resize(size, Image.Resampling.BILINEAR)
    masks = {
        trace["structure"]: np.asarray(
            Image.fromarray(dataset.trace_mask(trace)).resize(size, Image.Resampling.NEAREST)
        )
        for trace in traces.filter(pl.col("frame") == frame).iter_rows(named=True)
    }
    picture = Image.fromarray(with_contours(np.asarray(pixels), masks))
    tile = Image.new("RGB", (TILE, TILE + CAPTION), (24, 26, 30))
    tile.paste(picture, ((TILE - picture.width) // 2, CAPTION))
    lines = (clip[:26], _caption(row["echo_view"], row["split"], phase))
    ImageDraw.Draw(tile).multiline_text((4, 2), "\n".join(lines), fill=(210, 214, 220), spacing=1)
    return tile


def _shown_size(row: dict[str, Any]) -> tuple[int, int]:
    """(width, height) within a tile, in the true proportions where the spacing is known."""
    height = row["height"] * (row["spacing_mm_y"] or 1.0)
    width = row["width"] * (row["spacing_mm_x"] or 1.0)
    scale = TILE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shown_frame(traces: pl.DataFrame, num_frames: int) -> tuple[int, str | None]:
    """The traced end-diastolic frame, or any traced one, or the first."""
    if traces.is_empty():
        return 0, None
    best = traces.sort(pl.col("phase") != "ed", nulls_last=True).row(0, named=True)
    return min(int(best["frame"]), num_frames - 1), best["phase"]


def _caption(*words: str | None) -> str:
    return " · ".join(word for word in words if word)
