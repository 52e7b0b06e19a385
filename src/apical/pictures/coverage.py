"""What refusing buys: confidences and whether answers are right come in; accuracy by share answered goes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from apical.pictures.run_sheet import NOTICE

__all__ = ["draw_coverage"]

LINE, POINT, FAINT = "#2b6cb0", "#c53030", "#718096"


def draw_coverage(
    confidences: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    path: Path,
    title: str,
    *,
    threshold: float | None = None,
    wanted: float | None = None,
) -> None:
    """The accuracy of the surest images, from few to all; a point where the least confidence lies."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    answered, accuracy = _curve(confidences, right)
    axes.plot(100 * answered, 100 * accuracy, color=LINE, linewidth=1.6)
    if wanted is not None:
        axes.axhline(100 * wanted, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
        label = f"wanted: {wanted:.0%}"
        axes.text(100, 100 * wanted, label, fontsize=8, color=FAINT, ha="right", va="bottom")
    passing = right[confidences >= threshold] if threshold is not None else right[:0]
    if len(passing):
        place = 100 * len(passing) / len(right), 100 * float(passing.mean())
        axes.plot(*place, "o", color=POINT, markersize=7, zorder=3, label="answers that are given")
        axes.legend(loc="best", fontsize=8, frameon=False)
    lowest = min([*accuracy.tolist(), 1.0 if wanted is None else wanted])
    axes.set(xlim=(0, 101), ylim=(max(0, 100 * lowest - 8), 101.5))
    axes.set_xlabel("answered, the surest first, % of the images", fontsize=9)
    axes.set_ylabel("right among the answered, %", fontsize=9)
    axes.set_title(title, loc="left", fontsize=10)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(NOTICE, fontsize=7, color=FAINT, x=0.01, ha="left")
    figure.savefig(path, dpi=110)


def _curve(
    confidences: npt.NDArray[np.float64], right: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Shares answered and accuracies, one for each confidence that occurs."""
    order = np.argsort(-confidences, kind="stable")
    numbers = np.arange(1, len(order) + 1)
    is_last_of_its_kind = np.append(np.diff(confidences[order]) < 0, True)[: len(order)]
    accuracy = np.cumsum(right[order]) / numbers
    return numbers[is_last_of_its_kind] / len(order), accuracy[is_last_of_its_kind]
