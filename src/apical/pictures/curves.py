"""How training went: the lines of a run's metrics come in; a small chart for each kind of figure goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

__all__ = ["Curve", "Panel", "draw_curves", "draw_panels", "grid_of", "panels_of", "roomy_layout"]

Metrics = Sequence[Mapping[str, float]]
Values = npt.NDArray[np.float64]

WIDTH, ROW_HEIGHT = 12.4, 2.3
TRAIN, HELD_OUT, OTHER, CHANCE = "#2b6cb0", "#c53030", "#d69e2e", "#718096"
MOST_POINTS = 600
"""More can't be told apart in so small a chart."""
UNIT = (0.0, 1.04)
"""Limits for what lies between nothing and one, with room for a point that reaches it."""
SMOOTHED_SHARE = 1 / 25
FEWEST_SMOOTHED = 20
MOST_MARKED = 40


@dataclass(frozen=True)
class Curve:
    """One figure over time."""

    figure: str
    """Its name in the metrics."""
    label: str
    colour: str = HELD_OUT
    is_noisy: bool = False
    """Whether it is of single batches: it is then drawn faintly, with its moving average on it."""
    where: Values | None = None
    values: Values | None = None


@dataclass(frozen=True)
class Panel:
    """One chart."""

    title: str
    curves: tuple[Curve, ...]
    chance: float | None = None
    """What a guess reaches."""
    limits: tuple[float | None, float | None] = (None, None)
    names_last: bool = True
    """Whether the last value stands beside the title."""
    axis: str = "epoch"
    end: float = 1.0
    """Where the axis ends."""


PANELS = (
    Panel("loss", (Curve("loss", "training", TRAIN, is_noisy=True), Curve("val_loss", "held out"))),
    Panel(
        "Dice on held-out images",
        (
            Curve("val_dice", "left ventricle"),
            Curve("val_dice_myo", "myocardium", TRAIN),
            Curve("val_dice_la", "left atrium", OTHER),
        ),
        limits=UNIT,
    ),
    Panel("parcels that are some token's first choice", (Curve("alive", "training", TRAIN, is_noisy=True),)),
    Panel(
        "parcels: shares of the most there can be",
        (
            Curve("stability", "tokens that keep theirs", TRAIN, is_noisy=True),
            Curve("information", "what a token tells", HELD_OUT, is_noisy=True),
            Curve("val_purity", "held-out purity", OTHER),
        ),
        limits=UNIT,
    ),
    Panel("disagreement with the teacher", (Curve("disagreement", "", TRAIN, is_noisy=True),)),
    Panel("effective rank of features (RankMe)", (Curve("rankme", "held out"),)),
    Panel(
        "spread (1 healthy, 0 collapsed)",
        (Curve("spread", "training", TRAIN, is_noisy=True), Curve("feature_spread", "held-out features")),
        limits=UNIT,
    ),
    Panel(
        "alignment and uniformity (lower is better)",
        (Curve("alignment", "alignment"), Curve("uniformity", "uniformity", OTHER)),
    ),
    Panel("learning rate", (Curve("lr", "", CHANCE),), limits=(0.0, None), names_last=False),
)


def draw_curves(metrics: Metrics, path: Path) -> bool:
    """Draw the lines of a `metrics.jsonl`; false, and no file, when they hold nothing to draw."""
    from matplotlib.figure import Figure

    panels = panels_of(metrics)
    if not panels:
        return False
    rows, columns = grid_of(len(panels))
    figure = Figure(figsize=(WIDTH * min(1.0, columns / 3), ROW_HEIGHT * rows), layout=roomy_layout())
    draw_panels(figure, panels)
    figure.savefig(path, dpi=110)
    return True


def panels_of(metrics: Metrics) -> list[Panel]:
    """The charts that the metrics have figures for: loss, neighbours' accuracy by label, features, learning rate."""
    axis, where = _positions(metrics)
    loss, *others = PANELS
    panels = [_filled(panel, metrics, where, axis) for panel in (loss, *_knn_panels(metrics), *others)]
    return [panel for panel in panels if panel.curves]


def grid_of(count: int) -> tuple[int, int]:
    """Rows and columns for so many charts, with the fewest places left empty."""
    columns = min((4, 3), key=lambda width: (-count % width, -width)) if count > 3 else count
    return -(-count // max(columns, 1)), columns


def draw_panels(figure: Figure | SubFigure, panels: Sequence[Panel]) -> None:
    """Draw charts row by row."""
    rows, columns = grid_of(len(panels))
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw_panel(axes, panel)
        if index + columns >= len(panels):
            axes.set_xlabel(panel.axis, fontsize=8)


def roomy_layout() -> ConstrainedLayoutEngine:
    """What keeps charts a little apart."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)


def _knn_panels(metrics: Metrics) -> list[Panel]:
    """A chart for each `knn_<label>`, in the order they first appear, with the last `chance_<label>`."""
    names = dict.fromkeys(name for line in metrics for name in line if name.startswith("knn_"))
    panels = []
    for name in names:
        label = name.removeprefix("knn_")
        chances = [line[f"chance_{label}"] for line in metrics if f"chance_{label}" in line]
        title = f"kNN accuracy: {label.replace('_', ' ')}"
        panels.append(Panel(title, (Curve(name, label),), chances[-1] if chances else None, UNIT))
    return panels


def _positions(metrics: Metrics) -> tuple[str, Values]:
    """Where each line stands: in epochs, once one is over, or else in steps."""
    steps = np.array([line.get("step", index) for index, line in enumerate(metrics)], dtype=np.float64)
    epochs = np.array([line.get("epoch", 0) for line in metrics], dtype=np.float64)
    begun = epochs > 0
    if not begun.any():
        return "step", steps
    # `epoch` counts whole ones, so it is exact on the line that ends an epoch and too small on all others.
    return "epoch", steps / (steps[begun] / epochs[begun]).min()


def _filled(panel: Panel, metrics: Metrics, where: Values, axis: str) -> Panel:
    """The panel with those of its curves that the metrics have finite values for."""
    curves = []
    for curve in panel.curves:
        values = np.array([line.get(curve.figure, np.nan) for line in metrics], dtype=np.float64)
        finite = np.isfinite(values)
        if finite.any():
            curves.append(replace(curve, where=where[finite], values=values[finite]))
    return replace(panel, curves=tuple(curves), axis=axis, end=float(where.max(initial=0.0)) or 1.0)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for curve in panel.curves:
        last = _draw_curve(axes, curve)
        if len(panel.curves) == 1 and panel.names_last:
            axes.set_title(last, loc="right", fontsize=9, fontweight="bold", color=curve.colour)
    if panel.chance is not None:
        _draw_chance(axes, panel.chance)
    axes.set_ylim(*panel.limits)
    axes.set_xlim(0, panel.end * 1.02)
    axes.set_title(panel.title, loc="left", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if len(panel.curves) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor="linecolor", handlelength=1.2)


def _draw_chance(axes: Axes, chance: float) -> None:
    axes.axhline(chance, color=CHANCE, linewidth=1, linestyle=(0, (4, 3)))
    place = axes.get_yaxis_transform()
    axes.text(1, chance - 0.02, "chance", transform=place, ha="right", va="top", fontsize=7, color=CHANCE)


def _draw_curve(axes: Axes, curve: Curve) -> str:
    """Draw a curve that has values; the last of them, in words."""
    assert curve.where is not None
    assert curve.values is not None
    where, values = curve.where, curve.values
    style: dict[str, Any] = {"color": curve.colour, "linewidth": 1.5}
    if curve.is_noisy and len(values) >= FEWEST_SMOOTHED:
        axes.plot(_thinned(where), _thinned(values), color=curve.colour, alpha=0.25, linewidth=0.8)
        values = _smoothed(values)
    elif len(values) <= MOST_MARKED:
        style |= {"marker": "o", "markersize": 3}
    last = f"{values[-1]:.3g}"
    axes.plot(_thinned(where), _thinned(values), label=f"{curve.label} {last}", **style)
    return last


def _thinned(values: Values) -> Values:
    """Evenly chosen values, the first and the last among them, if there are too many."""
    if len(values) <= MOST_POINTS:
        return values
    return values[np.linspace(0, len(values) - 1, MOST_POINTS).round().astype(np.int64)]


def _smoothed(values: Values) -> Values:
    """The moving average over a share of all values; at the ends, over what there is of it."""
    reach = max(1, round(len(values) * SMOOTHED_SHARE / 2))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, end = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    return np.asarray((sums[end] - sums[first]) / (end - first))
