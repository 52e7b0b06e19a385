"""Scan conversion: polar levels and millimetres come in, pixels of the fan come out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apical.phantom.geometry import Fan, PolarGrid

__all__ = ["ScanConverter", "inside"]


class ScanConverter:
    """Bilinear gather from the polar grid to the pixels of a fan, with everything precomputed."""

    def __init__(self, fan: Fan, grid: PolarGrid) -> None:
        self.sector = fan.sector()
        self.pixels = np.flatnonzero(self.sector)
        x, y = (axis.ravel()[self.pixels] for axis in fan.pixel_positions())
        radius = np.hypot(x, y)
        sine = x / np.maximum(radius, 1e-9)
        depth_cell, depth_part = _split(radius / grid.step_mm, grid.num_depths)
        beam_cell, beam_part = _split((sine + grid.edge_sine) / grid.sine_step, grid.num_beams)
        corner = depth_cell * grid.num_beams + beam_cell
        self.corners = (corner, corner + 1, corner + grid.num_beams, corner + grid.num_beams + 1)
        self.weights = (
            (1 - depth_part) * (1 - beam_part),
            (1 - depth_part) * beam_part,
            depth_part * (1 - beam_part),
            depth_part * beam_part,
        )

    def convert(self, levels: npt.NDArray[np.float32], greys: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Show levels (T, R, S) through a table of greys (256,), black outside the fan: (T, H, W)."""
        flat = levels.reshape(len(levels), -1)
        inside = np.full((len(levels), len(self.pixels)), 0.5 / 255.0, np.float32)
        for corner, weight in zip(self.corners, self.weights, strict=True):
            inside += flat.take(corner, axis=1) * weight
        frames = np.zeros((len(levels), self.sector.size), np.uint8)
        shades = np.clip(inside * np.float32(255.0), 0.0, 255.0).astype(np.uint8)
        frames[:, self.pixels] = greys[shades]
        return frames.reshape(len(levels), *self.sector.shape)


def inside(outline: npt.NDArray[np.float64], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Tell which pixel centres of an image (H, W) a closed outline (P, 2) of x, y in pixels contains."""
    height, width = shape
    (x, y), (next_x, next_y) = outline.T, np.roll(outline, -1, axis=0).T
    rows = np.arange(height)[:, None]
    row, edge = np.nonzero((y <= rows) != (next_y <= rows))
    share = (row - y[edge]) / (next_y[edge] - y[edge])
    crossing = x[edge] + share * (next_x[edge] - x[edge])
    column = np.clip(np.ceil(crossing), 0, width).astype(np.intp)
    crossings = np.bincount(row * (width + 1) + column, minlength=height * (width + 1))
    return np.asarray(crossings.reshape(height, width + 1).cumsum(axis=1)[:, :width] % 2 == 1)


def _split(
    place: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Find the cell below each place, such that a next one exists, and the part of the way to it."""
    cell = np.clip(place.astype(np.intp), 0, count - 2)
    return cell, np.clip(place - cell, 0.0, 1.0).astype(np.float32)
