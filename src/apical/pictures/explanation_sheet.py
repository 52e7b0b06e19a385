"""Explained studies on paper: a row a study, its most important frames with and without what is salient in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from apical.explained import Explained
from apical.pictures.heat import heated
from apical.pictures.run_sheet import NOTICE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_explanations"]

WIDTH, HEADING, CAPTION, BARS = 12.4, 0.5, 0.36, 0.5
"""Inches."""
SHOWN = 3
"""Frames of a study."""
FAINT, INK, BAR, CHOSEN = "#718096", "#2d3748", "#a0aec0", "#d69e2e"


def draw_explanations(studies: Sequence[Explained], way: str, path: Path, note: str) -> None:
    """Write the sheet."""
    from matplotlib.figure import Figure

    side = WIDTH / (2 * SHOWN)
    tall = side * max(_proportion(each) for each in studies)
    pitch = CAPTION + tall + BARS
    height = HEADING + pitch * len(studies)
    figure = Figure(figsize=(WIDTH, height))
    _write_heading(figure, 1 - HEADING / 2 / height, way, note)
    for row, study in enumerate(studies):
        _draw_study(figure, study, HEADING + row * pitch, tall)
    figure.savefig(path, dpi=110)


def _proportion(study: Explained) -> float:
    height, width = study.pixels.shape[1:]
    return float(height * study.aspect / width)


def _write_heading(figure: Figure, place: float, way: str, note: str) -> None:
    title = (
        f"What each answer comes from, by {way}: the {SHOWN} frames that count most, and all frames as bars."
    )
    figure.text(0.008, place, f"{title} {note}".strip(), fontsize=9, va="center")
    figure.text(0.992, place, NOTICE, fontsize=7, color=FAINT, va="center", ha="right")


def _draw_study(figure: Figure, study: Explained, top: float, tall: float) -> None:
    height = figure.get_figheight()
    chosen = np.sort(np.argsort(-study.importance, kind="stable")[:SHOWN])
    caption = f"{study.case.why}: {study.case.study[:24]} {study.case.verdict}"
    figure.text(0.008, 1 - (top + 0.6 * CAPTION) / height, caption, fontsize=8, color=INK, va="center")
    bottom, share, column = 1 - (top + CAPTION + tall) / height, 1 / (2 * SHOWN), 0
    for place in chosen.tolist():
        for pixels in (study.pixels[place], heated(study.pixels[place], study.maps[place])):
            axes = figure.add_axes((column * share + 0.003, bottom, share - 0.006, tall / height))
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, aspect=study.aspect)
            axes.set_axis_off()
            column += 1
        axes.text(
            0.98, 0.98, f"frame {study.frames[place]}", transform=axes.transAxes, ha="right", va="top",
            fontsize=6.5, color="white",
        )  # fmt: skip
    _draw_bars(figure, study, chosen.tolist(), bottom)


def _draw_bars(figure: Figure, study: Explained, chosen: list[int], bottom: float) -> None:
    tall = BARS / figure.get_figheight()
    axes = figure.add_axes((0.003, bottom - 0.86 * tall, 0.994, 0.66 * tall))
    colours = [CHOSEN if place in chosen else BAR for place in range(len(study.frames))]
    axes.bar(range(len(study.frames)), study.importance, color=colours, width=0.92)
    axes.set(xlim=(-0.5, len(study.frames) - 0.5), ylim=(0, 1.02))
    axes.set_axis_off()
