"""What is taken for what: counts of answers by truth come in; a table in colours goes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from apical.pictures.run_sheet import NOTICE

__all__ = ["draw_confusion"]

CELL, MARGIN_LEFT, MARGIN_TOP, MARGIN_BELOW, LEAST_WIDTH = 0.95, 1.1, 1.1, 0.4, 5.4
"""Inches."""
ROW_HEIGHT = 0.62
FAINT, GAP_COLOUR = "#718096", "#ffffff"
DARK = 0.55
"""Shares from which figures are written in white."""


def draw_confusion(
    counts: Mapping[str, Mapping[str, int]],
    path: Path,
    title: str,
    note: str = "",
    *,
    kind: str = "view",
    unit: str = "images",
) -> None:
    """A row a truth of some `kind`, a column an answer; colours and percentages are shares of the row's `unit`."""
    from matplotlib.figure import Figure

    truths, answers = list(counts), list(next(iter(counts.values()), {}))
    table = np.array([[counts[truth][answer] for answer in answers] for truth in truths], dtype=np.float64)
    table = table.reshape(len(truths), len(answers))
    shares = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    width = max(LEAST_WIDTH, MARGIN_LEFT + CELL * len(answers) + 0.2)
    height = MARGIN_TOP + ROW_HEIGHT * len(truths) + MARGIN_BELOW
    figure = Figure(figsize=(width, height))
    place = (
        MARGIN_LEFT / width,
        MARGIN_BELOW / height,
        CELL * len(answers) / width,
        ROW_HEIGHT * len(truths) / height,
    )
    axes = figure.add_axes(place)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors=GAP_COLOUR, linewidth=2)
    for row, column in np.ndindex(table.shape):
        text = f"{table[row, column]:.0f}\n{shares[row, column]:.0%}" if table[row, column] else "0"
        colour = "white" if shares[row, column] >= DARK else "black" if table[row, column] else FAINT
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(np.arange(len(answers)) + 0.5, answers, fontsize=9)
    axes.set_yticks(np.arange(len(truths)) + 0.5, truths, fontsize=9)
    axes.set(xlim=(0, max(1, len(answers))), ylim=(max(1, len(truths)), 0))
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_ylabel(f"true {kind}", fontsize=9, color=FAINT)
    figure.text(0.012, 1 - 0.2 / height, title, fontsize=10, va="center")
    middle = place[0] + place[2] / 2
    figure.text(0.012, 1 - 0.42 / height, note, fontsize=9, va="center")
    figure.text(middle, 1 - 0.72 / height, "answer", fontsize=9, color=FAINT, ha="center", va="center")
    note = f"Shares are of all {unit} of the true {kind}. {NOTICE}"
    figure.text(0.012, 0.15 / height, note, fontsize=7, color=FAINT, va="center")
    figure.savefig(path, dpi=110)
