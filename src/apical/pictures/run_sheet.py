"""A training run at a glance: its metrics and a sheet of images come in; one picture with curves above goes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apical.pictures.curves import ROW_HEIGHT, WIDTH, draw_panels, grid_of, panels_of, roomy_layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

__all__ = ["NOTICE", "Sheet", "draw_run"]

TITLE, CAPTION, FOOT = 0.4, 0.4, 0.3
"""Inches."""
FAINT = "#718096"
SYNTHETIC = "#ecc94b"
NOTICE = "Research use only. Not a medical device."


@dataclass(frozen=True)
class Sheet:
    """What stands below the curves."""

    caption: str
    proportion: float
    """Its height for a width of 1; nothing is drawn at 0."""
    draw: Callable[[Axes], None]

    @property
    def height(self) -> float:
        """In inches, with the line above it."""
        return CAPTION + WIDTH * self.proportion if self.proportion > 0 else 0.0


def draw_run(
    metrics: Sequence[Mapping[str, float]], sheet: Sheet, path: Path, title: str, is_synthetic: bool
) -> None:
    """Curves above, the sheet below."""
    from matplotlib.figure import Figure

    panels = panels_of(metrics)
    heights = (TITLE, ROW_HEIGHT * grid_of(len(panels))[0], sheet.height, FOOT)
    shown = [height for height in heights if height > 0]
    figure = Figure(figsize=(WIDTH, sum(shown)), layout=roomy_layout())
    first, *middle, last = figure.subfigures(len(shown), 1, squeeze=False, height_ratios=shown).ravel()
    _write_title(first, title, is_synthetic)
    if panels:
        draw_panels(middle[0], panels)
    if sheet.height > 0:
        _draw_sheet(middle[-1], sheet)
    last.text(0.008, 0.5, NOTICE, fontsize=8, color=FAINT, va="center")
    figure.savefig(path, dpi=110)


def _write_title(part: SubFigure, title: str, is_synthetic: bool) -> None:
    part.text(0.008, 0.5, title, fontsize=13, fontweight="bold", va="center")
    if is_synthetic:
        badge = {"facecolor": SYNTHETIC, "edgecolor": "none", "boxstyle": "round,pad=0.4"}
        part.text(0.99, 0.5, "synthetic data", fontsize=9, ha="right", va="center", bbox=badge)


def _draw_sheet(part: SubFigure, sheet: Sheet) -> None:
    share = CAPTION / sheet.height
    part.text(0.008, 1 - share / 2, sheet.caption, fontsize=9, va="center")
    sheet.draw(part.add_axes((0, 0, 1, 1 - share)))
