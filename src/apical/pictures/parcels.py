"""Pictures of parcels: an atlas of all of them, a clip with their borders, and why an image got its mask."""

from __future__ import annotations

import colorsys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from apical.atlas import Atlas, ClipMap
from apical.evenly import evenly
from apical.pictures.montage import CONTOUR_COLOURS
from apical.pictures.run_sheet import NOTICE
from apical.segments import BACKGROUND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Reason", "draw_atlas", "draw_clip", "draw_reasons", "painted_parcels"]

Pixels = npt.NDArray[np.uint8]
Parcels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Colour = tuple[float, float, float]

WIDTH, COLUMNS = 12.4, 10
ROW, HEADING = 1.66, 0.5
"""Inches."""
FAINT, INK = "#718096", "#2d3748"
GOLDEN = 0.618034
OUTSIDE: Colour = (0.35, 0.85, 0.5)
"""Of parcels that lie in no structure."""


def draw_atlas(atlas: Atlas, path: Path, note: str) -> None:
    """A tile for each parcel that occurs: the mean of the images that show it, and where in them it lies."""
    from matplotlib.figure import Figure

    rows = -(-len(atlas.order) // COLUMNS)
    height = HEADING + rows * ROW
    figure = Figure(figsize=(WIDTH, height))
    _write_heading(
        figure, height, "Parcels: the mean of the images that show each, and where it lies in them.", note
    )
    for place, parcel in enumerate(atlas.order):
        row, column = divmod(place, COLUMNS)
        bottom = 1 - (HEADING + (row + 1) * ROW - 0.36) / height
        axes = figure.add_axes((column / COLUMNS + 0.004, bottom, 1 / COLUMNS - 0.008, (ROW - 0.42) / height))
        _draw_parcel(axes, atlas, parcel)
    figure.savefig(path, dpi=110)


def _draw_parcel(axes: Axes, atlas: Atlas, parcel: int) -> None:
    shown = max(atlas.present[parcel], 1)
    name, share = _owner(atlas, parcel)
    axes.imshow(atlas.pictures[parcel] / shown, cmap="gray", vmin=0)
    covers = np.clip(atlas.positions[parcel] / shown, 0, 1)
    tint = np.empty((*covers.shape, 4))
    tint[..., :3], tint[..., 3] = _colour_of(name), 0.75 * np.sqrt(covers)
    axes.imshow(tint)
    axes.set_axis_off()
    presence = atlas.present[parcel] / max(atlas.images, 1)
    axes.set_title(f"{parcel}", fontsize=8, pad=2, color=INK, fontweight="bold")
    where = f"{name} {share:.0%}" if atlas.with_masks else ""
    axes.text(
        0.5, -0.04, f"in {presence:.0%} of images\n{where}", transform=axes.transAxes, ha="center", va="top",
        fontsize=6.5, color=FAINT,
    )  # fmt: skip


def _owner(atlas: Atlas, parcel: int) -> tuple[str, float]:
    """Where most of a parcel lies."""
    shares = atlas.shares[:, parcel]
    best = int(shares.argmax())
    return (BACKGROUND, *atlas.structures)[best], float(shares[best])


def _colour_of(structure: str) -> Colour:
    if structure not in CONTOUR_COLOURS:
        return OUTSIDE
    red, green, blue = (level / 255 for level in CONTOUR_COLOURS[structure])
    return red, green, blue


def painted_parcels(pixels: Pixels, parcels: Parcels, chosen: Collection[int] | None = None) -> Pixels:
    """An image (H, W) in the colours of its parcels, with borders; where some are `chosen`, the others stay grey."""
    grey = np.repeat(pixels[..., None] / 255.0, 3, axis=2)
    palette = np.array(
        [colorsys.hsv_to_rgb(GOLDEN * parcel % 1, 0.65, 1.0) for parcel in range(parcels.max() + 1)]
    )
    is_tinted = np.ones(parcels.shape, bool) if chosen is None else np.isin(parcels, list(chosen))
    painted = np.where(is_tinted[..., None], 0.62 * grey + 0.38 * palette[parcels], grey)
    painted[_borders(parcels)] = 1.0 if chosen is None else 0.75
    return np.asarray((painted * 255).round(), np.uint8)


def _borders(parcels: Parcels) -> Mask:
    """Pixels above or left of one that has another parcel."""
    borders = np.zeros(parcels.shape, bool)
    borders[:-1] |= parcels[:-1] != parcels[1:]
    borders[:, :-1] |= parcels[:, :-1] != parcels[:, 1:]
    return borders


def draw_clip(shown: Sequence[ClipMap], path: Path, note: str, columns: int = 8) -> None:
    """A row a clip: its frames with the borders of their parcels."""
    from matplotlib.figure import Figure

    side = WIDTH / columns
    height = HEADING + len(shown) * (side + 0.25)
    figure = Figure(figsize=(WIDTH, height))
    _write_heading(figure, height, "Parcels from frame to frame: each has its colour in all clips.", note)
    for row, clip in enumerate(shown):
        chosen = evenly(len(clip.frames), columns)
        for column, place in enumerate(chosen):
            bottom = 1 - (HEADING + (row + 1) * (side + 0.25) - 0.03) / height
            axes = figure.add_axes((column / columns + 0.003, bottom, 1 / columns - 0.006, side / height))
            axes.imshow(painted_parcels(clip.pixels[place], clip.parcels[place]))
            axes.set_axis_off()
            title = f"frame {clip.frames[place]}"
            axes.set_title(
                f"{clip.clip[:16]}, keeps {clip.stability:.0%}" if column == 0 else title,
                fontsize=7, pad=3, color=FAINT, loc="left" if column == 0 else "center",
            )  # fmt: skip
    figure.savefig(path, dpi=110)


@dataclass(frozen=True)
class Reason:
    """Why an image got its masks."""

    pixels: Pixels
    """(H, W)"""
    parcels: Parcels
    """(H, W)"""
    members: Mapping[str, Collection[int]]
    """By structure, the parcels that speak for it."""
    found: Mapping[str, Mask]
    truth: Mapping[str, Mask]
    caption: str


def draw_reasons(reasons: Sequence[Reason], path: Path, note: str) -> None:
    """A row an image: as it is, its parcels, those that speak for each structure, the masks found and drawn."""
    from matplotlib.figure import Figure

    structures = list(reasons[0].members) if reasons else []
    titles = [
        "image",
        "its parcels",
        *(f"those of {name}" for name in structures),
        "found (colour), drawn (dotted)",
    ]
    side = WIDTH / len(titles)
    height = HEADING + len(reasons) * (side + 0.22)
    figure = Figure(figsize=(WIDTH, height))
    _write_heading(figure, height, "Why each image got its mask.", note)
    for row, reason in enumerate(reasons):
        for column, title in enumerate(titles):
            bottom = 1 - (HEADING + (row + 1) * (side + 0.22) - 0.02) / height
            axes = figure.add_axes(
                (column / len(titles) + 0.003, bottom, 1 / len(titles) - 0.006, side / height)
            )
            _draw_reason(axes, reason, column, structures)
            axes.set_title(
                reason.caption if column == 0 else title,
                fontsize=7, pad=3, color=FAINT, loc="left" if column == 0 else "center",
            )  # fmt: skip
            axes.set_axis_off()
    figure.savefig(path, dpi=110)


def _draw_reason(axes: Axes, reason: Reason, column: int, structures: Sequence[str]) -> None:
    if column == 1:
        axes.imshow(painted_parcels(reason.pixels, reason.parcels))
    elif 2 <= column < 2 + len(structures):
        chosen = reason.members[structures[column - 2]]
        axes.imshow(painted_parcels(reason.pixels, reason.parcels, chosen))
    else:
        axes.imshow(reason.pixels, cmap="gray", vmin=0, vmax=255)
    if column == 2 + len(structures):
        for name, mask in reason.found.items():
            _draw_line(axes, mask, _colour_of(name), "solid")
        for mask in reason.truth.values():
            _draw_line(axes, mask, (1.0, 1.0, 1.0), (0, (1, 1.5)))


def _draw_line(axes: Axes, mask: Mask, colour: Colour, style: object) -> None:
    if mask.any() and not mask.all():
        axes.contour(mask.astype(float), levels=[0.5], colors=[colour], linewidths=1.1, linestyles=[style])


def _write_heading(figure: object, height: float, title: str, note: str) -> None:
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    top = 1 - HEADING / 2 / height
    figure.text(0.008, top, f"{title} {note}".strip(), fontsize=9, va="center")
    figure.text(0.992, top, NOTICE, fontsize=7, color=FAINT, va="center", ha="right")
