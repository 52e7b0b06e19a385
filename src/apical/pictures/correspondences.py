"""How alike tokens are, drawn: correspondences and the shifts they suggest come in, a picture goes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apical.correspondences import Correspondences
from apical.pictures.run_sheet import NOTICE

__all__ = ["draw_correspondences"]

KINDS = {
    "self": "two tokens of the same frame",
    "clip": "of two frames of one clip",
    "other": "of two clips",
}
WIDTH, HEIGHT = 12.4, 3.1
COLOUR, LINE, FAINT = "#4299e1", "#dd6b20", "#718096"


def draw_correspondences(found: Correspondences, parcels: int, path: Path, note: str) -> None:
    """A histogram of each kind of pairs, and a line that one pair in `parcels` exceeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    shifts = found.shifts(parcels)
    for place, (name, values) in enumerate(found.pairs.items()):
        axes = figure.add_subplot(1, len(found.pairs), place + 1)
        axes.hist(values, bins=np.linspace(-1, 1, 101).tolist(), color=COLOUR, density=True)
        axes.axvline(shifts[name], color=LINE, linewidth=1.4)
        axes.set_title(f"{KINDS[name]}: {name}_shift {shifts[name]:.2f}", fontsize=9)
        axes.set_xlabel("how alike, less the mean", fontsize=8)
        axes.set_yticks([])
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
    title = f"One pair in {parcels} lies right of the line, as if there were {parcels} parcels of one size."
    figure.suptitle(f"{title} {note} {NOTICE}".replace("  ", " "), fontsize=8, color=FAINT)
    figure.savefig(path, dpi=110)
