"""Whether beliefs may be believed: beliefs and truths come in; shares of positives by belief, and counts, go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from apical.pictures.run_sheet import NOTICE
from apical.scores import readable
from apical.statistics.calibration import brier, ece, reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Believed", "draw_reliability"]

POINT, BAR, IDEAL, FAINT = "#2b6cb0", "#bee3f8", "#a0aec0", "#718096"
LIMITS = (-0.02, 1.02)
COLUMNS = 25
"""Of the histogram."""
WIDTH, HEIGHT = 4.1, 5.6
"""Inches of a panel."""


@dataclass(frozen=True)
class Believed:
    """One model's beliefs (N,) that studies are positive, and whether they are."""

    title: str
    scores: npt.NDArray[np.float64]
    truths: npt.NDArray[np.int64 | np.bool_]


def draw_reliability(
    panels: Sequence[Believed], path: Path, title: str, note: str = "", *, bins: int = 10
) -> None:
    """For each model the share of positives in bins of belief, with Wilson's limits, and the beliefs below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH * len(panels), HEIGHT), layout="constrained")
    rows = figure.subplots(2, len(panels), squeeze=False, sharex=True, height_ratios=(3.6, 1))
    for panel, upper, lower in zip(panels, *rows, strict=True):
        _draw_shares(upper, panel, bins)
        _draw_counts(lower, panel)
    rows[0, 0].set_ylabel("share that is positive", fontsize=9)
    rows[1, 0].set_ylabel("studies", fontsize=9)
    figure.suptitle(f"{title}\n{note}".strip(), fontsize=10, x=0.01, ha="left")
    said = f"Bins hold about as many studies each; bars are 95 % limits.\n{NOTICE}"
    figure.supxlabel(said, fontsize=7, color=FAINT, x=0.01, ha="left")
    figure.savefig(path, dpi=110)


def _draw_shares(axes: Axes, panel: Believed, bins: int) -> None:
    found = reliability(panel.scores, panel.truths, bins)
    axes.plot([0, 1], [0, 1], color=IDEAL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    beliefs = [each.belief for each in found]
    axes.vlines(
        beliefs, [each.low for each in found], [each.high for each in found], color=POINT, linewidth=1.2
    )
    axes.plot(beliefs, [each.share for each in found], "o-", color=POINT, markersize=5, linewidth=1)
    error = readable(ece(panel.scores, panel.truths, bins), ".3f")
    score = readable(brier(panel.scores, panel.truths), ".3f")
    axes.set_title(
        f"{panel.title}\nECE {error}   Brier {score}   n {len(panel.scores)}", loc="left", fontsize=9
    )
    axes.set(xlim=LIMITS, ylim=LIMITS)
    _tidy(axes)


def _draw_counts(axes: Axes, panel: Believed) -> None:
    axes.hist(panel.scores, bins=COLUMNS, range=(0, 1), color=BAR, edgecolor="white", linewidth=0.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("belief that it is positive", fontsize=9)
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
