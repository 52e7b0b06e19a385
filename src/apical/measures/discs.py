"""Volumes by the method of discs: masks or diameters come in, ml and ejection fraction go out.

The long axis is divided into 20 discs of equal height; each is a circle (one plane) or an ellipse (two planes):
V = π/4 · Σ a_i · b_i · L/20 (Schiller et al., 1989; Lang et al., 2015).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "NUM_DISCS",
    "Discs",
    "biplane_ml",
    "discs_of_mask",
    "ejection_fraction_percent",
    "single_plane_ml",
]

NUM_DISCS = 20

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Discs(NamedTuple):
    """The 20 diameters, apex first, and the length of the long axis, in the unit of the spacing."""

    diameters: Array
    length: float


def discs_of_mask(mask: Mask, spacing: tuple[float, float] = (1.0, 1.0)) -> Discs | None:
    """Diameters across the long axis of an apical LV mask (H, W); None when there is no area.

    The apex is the end of the longest axis that is narrower; `spacing` is (y, x).
    """
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        return None
    points = np.column_stack([columns * spacing[1], rows * spacing[0]]).astype(np.float64)
    centre = points.mean(axis=0)
    axis = _long_axis(points - centre)
    along = (points - centre) @ axis
    pixel_extent = float(np.abs(axis) @ np.array([spacing[1], spacing[0]]))
    low, high = along.min() - pixel_extent / 2, along.max() + pixel_extent / 2
    area = spacing[0] * spacing[1]
    edges = np.linspace(low, high, NUM_DISCS + 1)
    diameters = _areas_between(along, pixel_extent, area, edges) / np.diff(edges)
    if diameters[: NUM_DISCS // 2].sum() > diameters[NUM_DISCS // 2 :].sum():
        diameters = diameters[::-1]
    return Discs(diameters, float(high - low))


def single_plane_ml(discs: Discs) -> float:
    """Volume from one apical view whose discs are in mm."""
    return float(np.pi / 4 * np.sum(discs.diameters**2) * discs.length / NUM_DISCS) / 1000


def biplane_ml(a4c: Discs, a2c: Discs) -> float:
    """Volume from two apical views whose discs are in mm; the longer axis counts."""
    length = max(a4c.length, a2c.length)
    return float(np.pi / 4 * np.sum(a4c.diameters * a2c.diameters) * length / NUM_DISCS) / 1000


def ejection_fraction_percent(edv: float, esv: float) -> float:
    """Share of the end-diastolic volume that is ejected, in percent."""
    return 100 * (edv - esv) / edv


def _long_axis(centred: Array) -> Array:
    """Unit vector (x, y) along which the area (N, 2), centred, spreads the most."""
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axis: Array = vectors[:, -1]
    return axis if axis[1] >= 0 else -axis


def _areas_between(along: Array, extent: float, area: float, edges: Array) -> Array:
    """Area between neighbouring edges, each pixel spread evenly over its extent along the axis."""
    covered = np.clip((edges[:, None] - along) / extent + 0.5, 0, 1).sum(axis=1) * area
    return np.diff(covered)
