"""What a model found beside what an expert drew: images with both contours come in; one sheet of them goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from apical.pictures.montage import CONTOUR_COLOURS
from apical.pictures.run_sheet import NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EXPLANATION", "Overlay", "draw_overlay_file", "draw_overlays", "overlay_proportion"]

Mask = npt.NDArray[np.bool_]

COLUMNS = 6
GAP, CAPTION_GAP, LINE = 0.04, 0.05, 0.08
"""In widths of a tile; a caption's lines come on top of its gap."""
WIDTH = 12.4
HEADING = 0.45
"""Inches."""
TRUTH, CAPTION = "#ffffff", "#4a5568"
EXPLANATION = "Colour: what the model found. White, dotted: what the expert drew."


@dataclass(frozen=True)
class Overlay:
    """An image and its masks."""

    pixels: npt.NDArray[np.uint8]
    """(H, W)"""
    found: Mapping[str, Mask]
    """By structure, (H, W)."""
    truth: Mapping[str, Mask]
    caption: str
    aspect: float = 1.0
    """How much higher a pixel is than it is wide."""

    @property
    def height(self) -> float:
        """Of the image, in its widths."""
        height, width = self.pixels.shape
        return float(height / width * self.aspect)


def overlay_proportion(overlays: Sequence[Overlay]) -> float:
    """The height of a sheet for a width of 1; 0 for no overlays."""
    if not overlays:
        return 0.0
    rows = -(-len(overlays) // COLUMNS)
    return rows * _pitch(overlays) / (COLUMNS * (1 + GAP) - GAP)


def draw_overlays(overlays: Sequence[Overlay], axes: Axes) -> None:
    """Draw images in rows of six, with their contours and captions."""
    pitch = _pitch(overlays)
    for index, overlay in enumerate(overlays):
        row, column = divmod(index, COLUMNS)
        _draw_tile(axes, overlay, column * (1 + GAP), row * pitch)
    rows = -(-len(overlays) // COLUMNS)
    axes.set(xlim=(0, COLUMNS * (1 + GAP) - GAP), ylim=(rows * pitch, 0), aspect="equal")
    axes.set_axis_off()


def draw_overlay_file(
    overlays: Sequence[Overlay], path: Path, title: str, explanation: str = EXPLANATION
) -> None:
    """The same as a picture of its own, with a title."""
    from matplotlib.figure import Figure

    height = WIDTH * overlay_proportion(overlays)
    figure = Figure(figsize=(WIDTH, height + HEADING))
    share = HEADING / (height + HEADING)
    figure.text(0.008, 1 - share / 2, f"{title}  {explanation}", fontsize=9, va="center")
    figure.text(0.992, 1 - share / 2, NOTICE, fontsize=7, color=CAPTION, va="center", ha="right")
    draw_overlays(overlays, figure.add_axes((0, 0, 1, 1 - share)))
    figure.savefig(path, dpi=110)


def _pitch(overlays: Sequence[Overlay]) -> float:
    """From one row to the next."""
    lines = max(overlay.caption.count("\n") + 1 for overlay in overlays)
    return _tile_height(overlays) + CAPTION_GAP + LINE * lines


def _tile_height(overlays: Sequence[Overlay]) -> float:
    return max(overlay.height for overlay in overlays)


def _draw_tile(axes: Axes, overlay: Overlay, left: float, top: float) -> None:
    extent = (left, left + 1, top + overlay.height, top)
    axes.imshow(overlay.pixels, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="bilinear")
    for structure, mask in reversed(list(overlay.found.items())):  # the first one comes to lie on top
        red, green, blue = (level / 255 for level in CONTOUR_COLOURS.get(structure, (255, 255, 255)))
        _draw_contour(axes, mask, extent, (red, green, blue), "solid")
    for mask in overlay.truth.values():
        _draw_contour(axes, mask, extent, TRUTH, (0, (1, 1.5)))
    place = left + 0.5, top + overlay.height + 0.02
    axes.text(*place, overlay.caption, ha="center", va="top", fontsize=7, color=CAPTION)


def _draw_contour(
    axes: Axes, mask: Mask, extent: tuple[float, float, float, float], colour: object, style: object
) -> None:
    if not mask.any():
        return
    left, right, bottom, top = extent
    height, width = mask.shape
    framed = np.pad(mask, 1)  # so that contours are closed at the image's border
    x = left + (np.arange(-1, width + 1) + 0.5) * (right - left) / width
    y = top + (np.arange(-1, height + 1) + 0.5) * (bottom - top) / height
    axes.contour(x, y, framed, levels=[0.5], colors=[colour], linewidths=1.1, linestyles=[style])
