"""Bland-Altman plots: measured and reference values come in; how far they differ, and where, goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from apical.pictures.run_sheet import NOTICE
from apical.scores import readable
from apical.statistics.agreement import agreement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Compared", "draw_agreement"]

POINT, LINE, LIMIT, FAINT = "#2b6cb0", "#c53030", "#718096", "#a0aec0"


@dataclass(frozen=True)
class Compared:
    """Two columns of the same things."""

    title: str
    unit: str
    measured: npt.NDArray[np.float64]
    reference: npt.NDArray[np.float64]


def draw_agreement(panels: Sequence[Compared], path: Path, note: str = "") -> None:
    """For each pair of columns the scatter, and the differences over the means."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.1 * len(panels), 6.6), layout="constrained")
    for index, panel in enumerate(panels):
        _draw_scatter(figure.add_subplot(2, len(panels), index + 1), panel)
        _draw_differences(figure.add_subplot(2, len(panels), len(panels) + index + 1), panel)
    figure.supxlabel(f"{NOTICE} {note}".strip(), fontsize=7, color=LIMIT, x=0.01, ha="left")
    figure.savefig(path, dpi=110)


def _draw_scatter(axes: Axes, panel: Compared) -> None:
    found = agreement(panel.measured, panel.reference)
    both = np.concatenate([panel.measured, panel.reference])
    low, high = float(both.min()), float(both.max())
    axes.plot([low, high], [low, high], color=FAINT, linewidth=1)
    axes.plot(panel.reference, panel.measured, "o", color=POINT, markersize=3.5, alpha=0.7)
    correlation = readable(found.correlation, ".2f")
    axes.set_title(f"{panel.title}   r {correlation}   n {found.n}", loc="left", fontsize=9)
    axes.set_xlabel(f"expert ({panel.unit})", fontsize=8)
    axes.set_ylabel(f"model ({panel.unit})", fontsize=8)
    _tidy(axes)


def _draw_differences(axes: Axes, panel: Compared) -> None:
    found = agreement(panel.measured, panel.reference)
    axes.axhline(0, color=FAINT, linewidth=1)
    axes.axhline(found.bias, color=LINE, linewidth=1.3)
    for limit in (found.low, found.high):
        axes.axhline(limit, color=LIMIT, linewidth=1, linestyle=(0, (4, 3)))
    means = (panel.measured + panel.reference) / 2
    axes.plot(means, panel.measured - panel.reference, "o", color=POINT, markersize=3.5, alpha=0.7)
    bias, low, high = (readable(value, "+.1f") for value in (found.bias, found.low, found.high))
    axes.set_title(f"bias {bias}, limits {low} to {high} {panel.unit}", loc="left", fontsize=9)
    axes.set_xlabel(f"mean of both ({panel.unit})", fontsize=8)
    axes.set_ylabel("model minus expert", fontsize=8)
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
