"""How a figure spreads over images: values by group come in; a strip of points and a box for each group go out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apical.pictures.run_sheet import NOTICE

__all__ = ["draw_distribution"]

POINT, BOX, FAINT = "#2b6cb0", "#c53030", "#718096"
ROW_HEIGHT, MARGIN, WIDTH = 0.42, 1.0, 9.0
"""Inches."""
REACH = 0.28
"""How far points are scattered to either side of their group's line."""


def draw_distribution(groups: Mapping[str, npt.NDArray[np.float64]], path: Path, title: str) -> None:
    """Each group's points, its quartiles as a box, and its mean as a line with the figure beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, MARGIN + ROW_HEIGHT * len(groups)), layout="constrained")
    axes = figure.add_subplot()
    random = np.random.default_rng(0)
    for row, values in enumerate(groups.values()):
        places = -row + random.uniform(-REACH, REACH, len(values))
        axes.plot(values, places, "o", color=POINT, markersize=2.5, alpha=0.35, markeredgewidth=0)
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        axes.plot([low, high], [-row, -row], color=BOX, linewidth=5, alpha=0.45, solid_capstyle="butt")
        axes.plot([middle], [-row], "|", color=BOX, markersize=14, markeredgewidth=1.8)
    axes.set_yticks([-row for row in range(len(groups))])
    names = [f"{name}\nmean {values.mean():.3f}" for name, values in groups.items()]
    axes.set_yticklabels(names, fontsize=8)
    axes.set_title(title, loc="left", fontsize=10)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        f"Bar: middle half of the images, line: median. {NOTICE}", fontsize=7, color=FAINT, x=0.01, ha="left"
    )
    figure.savefig(path, dpi=110)
