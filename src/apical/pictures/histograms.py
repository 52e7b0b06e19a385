"""How a dataset's labels are spread: one small histogram or bar chart a label, by split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from apical.dataset import Dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_label_histograms"]

SPLIT_COLOURS = {"train": "#2b6cb0", "val": "#d69e2e", "test": "#c53030", "none": "#718096"}
COLUMNS = 3
BINS = 24


def draw_label_histograms(dataset: Dataset, path: Path) -> bool:
    """Draw every label that any usable clip has; false, and no file, when there is none."""
    from matplotlib.figure import Figure

    names = [name for name in dataset.label_names if dataset.usable_clips[name].count() > 0]
    if not names:
        return False
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 2.6 * rows), layout="constrained")
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, COLUMNS, index + 1)
        values = dataset.usable_clips.select("split", name).drop_nulls(name)
        (_draw_words if values[name].dtype == pl.String else _draw_numbers)(axes, values, name)
        axes.set_title(name, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        if index == 0:
            axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)
    return True


def _draw_numbers(axes: Axes, values: pl.DataFrame, name: str) -> None:
    parts = {split: values.filter(pl.col("split") == split)[name].to_numpy() for split in SPLIT_COLOURS}
    shown = {split: part for split, part in parts.items() if part.size}
    colours = [SPLIT_COLOURS[split] for split in shown]
    axes.hist(list(shown.values()), bins=BINS, stacked=True, color=colours, label=list(shown))


def _draw_words(axes: Axes, values: pl.DataFrame, name: str) -> None:
    words = sorted(values[name].unique())
    below = [0] * len(words)
    for split, colour in SPLIT_COLOURS.items():
        part = values.filter(pl.col("split") == split)[name]
        heights = [int((part == word).sum()) for word in words]
        if sum(heights):
            axes.bar(words, heights, bottom=below, color=colour, label=split)
            below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.tick_params(axis="x", labelrotation=20, labelsize=8)
