"""What features hold to be alike: frames and their nearest neighbours come in; one sheet of them goes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_neighbours", "sheet_size"]

Pixels = npt.NDArray[np.uint8]

BLOCKS = 2
"""Queries beside each other, each in a row with its neighbours."""
GAP, BLOCK_GAP, CAPTION_GAP = 0.05, 0.35, 0.2
"""In widths of a tile."""
QUERY = "#d69e2e"
CAPTION = "#4a5568"
WIDTH = 12.4


def draw_neighbours(
    queries: Pixels, neighbours: Pixels, captions: Sequence[Sequence[str]], where: Path | Axes
) -> None:
    """Draw queries (N, H, W), framed, each followed by its neighbours (N, k, H, W) with a caption (N, k) below."""
    if isinstance(where, Path):
        _draw_file(queries, neighbours, captions, where)
        return
    width, height = sheet_size(neighbours.shape)
    for index, (query, row) in enumerate(zip(queries, neighbours, strict=True)):
        left, top = _place(index, neighbours.shape)
        _draw_tile(where, query, left, top, is_query=True)
        for turn, (tile, caption) in enumerate(zip(row, captions[index], strict=True), start=1):
            _draw_tile(where, tile, left + turn * (1 + GAP), top, caption)
    where.set(xlim=(-GAP, width + GAP), ylim=(height, -GAP), aspect="equal")
    where.set_axis_off()


def sheet_size(shape: Sequence[int]) -> tuple[float, float]:
    """Width and height, in widths of a tile, of a sheet for neighbours of `shape` (N, k, H, W)."""
    count, k, height, width = shape
    blocks, rows = min(count, BLOCKS), -(-count // BLOCKS)
    across = blocks * ((k + 1) * (1 + GAP) - GAP) + (blocks - 1) * BLOCK_GAP
    return across, rows * (height / width + CAPTION_GAP)


def _place(index: int, shape: Sequence[int]) -> tuple[float, float]:
    """Left and top of a query's tile."""
    row, block = divmod(index, BLOCKS)
    _, k, height, width = shape
    return block * ((k + 1) * (1 + GAP) - GAP + BLOCK_GAP), row * (height / width + CAPTION_GAP)


def _draw_tile(
    axes: Axes, pixels: Pixels, left: float, top: float, caption: str = "", *, is_query: bool = False
) -> None:
    from matplotlib.patches import Rectangle

    height = pixels.shape[0] / pixels.shape[1]
    extent = (left, left + 1, top + height, top)
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="bilinear")
    if is_query:
        axes.add_patch(Rectangle((left, top), 1, height, fill=False, edgecolor=QUERY, linewidth=2.5))
    if caption:
        axes.text(left + 0.5, top + height + 0.03, caption, ha="center", va="top", fontsize=7, color=CAPTION)


def _draw_file(queries: Pixels, neighbours: Pixels, captions: Sequence[Sequence[str]], path: Path) -> None:
    from matplotlib.figure import Figure

    width, height = sheet_size(neighbours.shape)
    figure = Figure(figsize=(WIDTH, WIDTH * (height + GAP) / (width + 2 * GAP)))
    draw_neighbours(queries, neighbours, captions, figure.add_axes((0, 0, 1, 1)))
    figure.savefig(path, dpi=110)
