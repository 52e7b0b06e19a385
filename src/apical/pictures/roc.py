"""How well models tell positives: scores and truths come in; ROC and precision-recall curves side by side go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from apical.pictures.curves import roomy_layout
from apical.pictures.run_sheet import NOTICE
from apical.scores import readable
from apical.statistics.binary import Number
from apical.statistics.bootstrap import Estimate
from apical.statistics.clusters import Array
from apical.statistics.operating import Confusion, confusion, sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Ranked", "draw_roc"]

COLOURS = ("#2b6cb0", "#c53030", "#d69e2e", "#2f855a", "#6b46c1", "#4a5568")
CHANCE, FAINT = "#a0aec0", "#718096"
LIMITS = (-0.02, 1.02)
WIDTH, HEIGHT, ROW_HEIGHT = 8.6, 5.1, 0.2
"""Inches."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One model's scores of studies, and what is to be said of them."""

    name: str
    scores: npt.NDArray[np.float64]
    truths: npt.NDArray[np.int64 | np.bool_]
    auroc: Estimate
    auprc: Estimate
    threshold: float | None = None
    """From which score on a study is called positive."""


def draw_roc(models: Sequence[Ranked], path: Path, title: str, note: str = "") -> None:
    """Both curves of each model, a dot at its threshold, and what a guess reaches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT + ROW_HEIGHT * len(models)), layout=roomy_layout())
    left, right = figure.subplots(1, 2)
    for index, model in enumerate(models):
        _draw_model(left, right, model, COLOURS[index % len(COLOURS)])
    left.plot([0, 1], [0, 1], color=CHANCE, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for prevalence in sorted({float(np.mean(model.truths)) for model in models if len(model.truths)}):
        right.axhline(prevalence, color=CHANCE, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    _finish(left, "false alarms: share of the negatives", "found: share of the positives")
    _finish(right, "found: share of the positives", "right: share of those called positive")
    heading: dict[str, Any] = {"title": f"{title}\n{note}".strip(), "title_fontsize": 10, "alignment": "left"}
    figure.legend(loc="outside upper left", frameon=False, fontsize=8, handlelength=1.2, **heading)
    dots = "Dots: at the threshold in use. " if any(model.threshold is not None for model in models) else ""
    figure.supxlabel(f"{dots}Dashed: a guess. {NOTICE}", fontsize=7, color=FAINT, x=0.01, ha="left")
    figure.savefig(path, dpi=110)


def _draw_model(left: Axes, right: Axes, model: Ranked, colour: str) -> None:
    _, swept = sweep(model.scores, model.truths)
    left.plot(*_alarms_and_found(swept), color=colour, linewidth=1.6, label=_said(model))
    right.plot(*_steps(swept), color=colour, linewidth=1.6, drawstyle="steps-post")
    if model.threshold is not None:
        reached = confusion(model.scores, model.truths, model.threshold)
        dot: dict[str, Any] = {"color": colour, "markersize": 7.5, "markeredgecolor": "white", "zorder": 4}
        left.plot(*_alarms_and_found(reached), "o", **dot)
        right.plot(reached.sensitivity, reached.precision, "o", **dot)


def _alarms_and_found(counts: Confusion[Number]) -> tuple[Number, Number]:
    """Where answers stand in the left chart."""
    return 1 - counts.specificity, counts.sensitivity


def _steps(swept: Confusion[Array]) -> tuple[Array, Array]:
    """Sensitivities, falling to 0, and precisions, each of which holds until the next."""
    finds = swept.tp > 0
    precision = swept.precision[finds]
    last = precision[-1:]
    return np.append(swept.sensitivity[finds], np.zeros_like(last)), np.append(precision, last)


def _said(model: Ranked) -> str:
    """A line of the legend."""
    return f"{model.name}:   AUROC {_limits(model.auroc)}   AUPRC {_limits(model.auprc)}"


def _limits(found: Estimate) -> str:
    value, low, high = (readable(each, ".2f") for each in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _finish(axes: Axes, across: str, up: str) -> None:
    axes.set(xlim=LIMITS, ylim=LIMITS)
    axes.set_box_aspect(1)
    axes.set_xlabel(across, fontsize=9)
    axes.set_ylabel(up, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
