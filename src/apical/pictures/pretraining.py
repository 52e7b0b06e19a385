"""A pretraining run at a glance: its metrics and some frames with their neighbours come in; one picture goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from apical.pictures.curves import ROW_HEIGHT, WIDTH, draw_panels, grid_of, panels_of, roomy_layout
from apical.pictures.neighbour_sheet import draw_neighbours, sheet_size

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

__all__ = ["draw_pretraining"]

Pixels = npt.NDArray[np.uint8]

TITLE, CAPTION, FOOT = 0.4, 0.4, 0.3
"""Inches."""
FAINT = "#718096"
SYNTHETIC = "#ecc94b"
EXPLANATION = (
    "Held-out frames (framed), and those of other patients whose features are most alike, with their cosine"
)
NOTICE = "Research use only. Not a medical device."


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
    from matplotlib.figure import Figure

    panels = panels_of(metrics)
    sheet = _sheet_height(neighbours.shape)
    heights = (TITLE, ROW_HEIGHT * grid_of(len(panels))[0], sheet, FOOT)
    shown = [height for height in heights if height > 0]
    figure = Figure(figsize=(WIDTH, sum(shown)), layout=roomy_layout())
    first, *middle, last = figure.subfigures(len(shown), 1, squeeze=False, height_ratios=shown).ravel()
    _write_title(first, title, is_synthetic)
    if panels:
        draw_panels(middle[0], panels)
    if sheet > 0:
        _draw_sheet(middle[-1], queries, neighbours, similarities)
    last.text(0.008, 0.5, NOTICE, fontsize=8, color=FAINT, va="center")
    figure.savefig(path, dpi=110)


def _sheet_height(shape: Sequence[int]) -> float:
    """In inches, with the line above it; nothing if there is nobody to show."""
    if 0 in shape:
        return 0.0
    width, height = sheet_size(shape)
    return CAPTION + WIDTH * height / width


def _write_title(part: SubFigure, title: str, is_synthetic: bool) -> None:
    part.text(0.008, 0.5, title, fontsize=13, fontweight="bold", va="center")
    if is_synthetic:
        badge = {"facecolor": SYNTHETIC, "edgecolor": "none", "boxstyle": "round,pad=0.4"}
        part.text(0.99, 0.5, "synthetic data", fontsize=9, ha="right", va="center", bbox=badge)


def _draw_sheet(
    part: SubFigure, queries: Pixels, neighbours: Pixels, similarities: npt.NDArray[np.floating]
) -> None:
    share = CAPTION / _sheet_height(neighbours.shape)
    part.text(0.008, 1 - share / 2, EXPLANATION, fontsize=9, va="center")
    captions = [[f"{value:.2f}" for value in row] for row in similarities]
    draw_neighbours(queries, neighbours, captions, part.add_axes((0, 0, 1, 1 - share)))
