"""Masks as answers: traced frames come in; their masks, as any view shows them, go out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from apical.dataset import Dataset

__all__ = ["MaskAnswers", "as_shown", "traced_images"]


def traced_images(dataset: Dataset, clips: pl.DataFrame, structures: Sequence[str]) -> pl.DataFrame:
    """Rows (row, clip, frame, patient) of the frames of `clips` in which all of these structures are traced."""
    indexed = clips.select("clip", "patient", "num_frames").with_row_index("row")
    traced = dataset.traces.filter(pl.col("structure").is_in(list(structures)))
    counted = traced.group_by("clip", "frame").agg(pl.col("structure").n_unique().alias("found"))
    whole = counted.filter(pl.col("found") == len(structures))
    joined = indexed.join(whole, on="clip").filter(pl.col("frame") < pl.col("num_frames"))
    return joined.select(pl.col("row").cast(pl.Int64), "clip", "frame", "patient").sort("row", "frame")


class MaskAnswers:
    """Masks of some frames, kept in memory as they are stored."""

    def __init__(self, dataset: Dataset, examples: pl.DataFrame, structures: Sequence[str]) -> None:
        height, width = dataset.frame_size
        self.masks = torch.zeros((len(examples), len(structures), height, width), dtype=torch.uint8)
        """(N, S, H, W): 1 where a structure is."""
        asked = examples.select("clip", "frame").with_row_index("example")
        traces = dataset.traces.filter(pl.col("structure").is_in(list(structures)))
        for trace in traces.join(asked, on=["clip", "frame"]).iter_rows(named=True):
            mask = dataset.trace_mask(trace).astype(np.uint8)
            self.masks[trace["example"], structures.index(trace["structure"])] |= torch.from_numpy(mask)

    def at(self, examples: Tensor, warps: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Shares (B, S, h, w), from 0 to 1, of each pixel that lie in each structure."""
        masks = self.masks[examples].float()
        if warps is not None:
            return as_shown(masks.to(warps.device), warps, size)
        return functional.interpolate(masks, size, mode="bilinear", antialias=True).clamp(0, 1)


def as_shown(maps: Tensor, warps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, S, H, W) of whole frames as views (B, S, h, w) with these warps show them, 0 beyond the frame."""
    grid = functional.affine_grid(warps, [len(maps), 1, *size], align_corners=False)
    return functional.grid_sample(maps, grid, align_corners=False)
