"""A pretraining run at a glance: its metrics and some frames with their neighbours come in; one picture goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apical.pictures.neighbour_sheet import draw_neighbours, sheet_size
from apical.pictures.run_sheet import Sheet, draw_run

__all__ = ["draw_pretraining"]

Pixels = npt.NDArray[np.uint8]

EXPLANATION = (
    "Held-out frames (framed), and those of other patients whose features are most alike, with their cosine"
)


def draw_pretraining(
    metrics: Sequence[Mapping[str, float]],
    queries: Pixels,
    neighbours: Pixels,
    similarities: npt.NDArray[np.floating],
    path: Path,
    title: str,
    is_synthetic: bool,
) -> None:
    """Curves above; below them queries (N, H, W) and their neighbours (N, k, H, W) by similarity (N, k)."""
    captions = [[f"{value:.2f}" for value in row] for row in similarities]
    proportion = 0.0
    if 0 not in neighbours.shape:
        width, height = sheet_size(neighbours.shape)
        proportion = height / width
    sheet = Sheet(EXPLANATION, proportion, lambda axes: draw_neighbours(queries, neighbours, captions, axes))
    draw_run(metrics, sheet, path, title, is_synthetic)
