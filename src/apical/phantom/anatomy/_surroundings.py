"""What lies around the heart: the relaxed heart's grids come in, scatterers of chest wall and lung go out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, distance_transform_edt
from scipy.spatial import cKDTree

from apical.phantom.anatomy._tissue import REFERENCE_DENSITY_PER_MM2, Grids, Seeds, pack
from apical.phantom.scan import inside

__all__ = ["seed_surroundings"]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

DEPTH_MM = 190
HALF_WIDTH_AT_PROBE_MM, WIDENING = 25, 1.05
"""The field that any window may see: wider with depth."""
CELL_MM = 1.0
DENSITY_PER_MM2 = 0.9, 0.16
"""At the probe and far away, where the beam is wide and needs fewer."""
NEIGHBOURS = 4
REACH_MM = 14.0
"""How far the heart's motion drags its surroundings along."""


def seed_surroundings(grids: Grids, rng: np.random.Generator) -> Seeds:
    """Spread scatterers over all that is not heart; those close to it are dragged along by its surface."""
    distance_mm = _distance_to_heart(grids)
    position, density = _spread(distance_mm, rng)
    away_mm = distance_mm[tuple(_cells(position).astype(np.intp).T)]
    control = pack(grids)[0]
    gap_mm, points = _nearest(control, position)
    pull = np.exp(-away_mm / REACH_MM) * np.clip(position[:, 1] / 15, 0, 1)
    weights = 1 / (gap_mm + 0.5)
    weights *= (pull / weights.sum(axis=1))[:, None]
    offset = position - (control[points] * weights[..., None]).sum(axis=1)
    level_db = _level_db(position, away_mm, rng)
    amplitude = 10 ** (level_db / 20) * np.sqrt(REFERENCE_DENSITY_PER_MM2 / density)
    return Seeds(points, weights, amplitude * rng.rayleigh(np.sqrt(0.5), len(position)), offset)


def _distance_to_heart(grids: Grids) -> Array:
    """Distance to the nearest patch, by cells of the field (rows by depth, columns by width); 0 inside."""
    heart = np.zeros((int(DEPTH_MM / CELL_MM), int(2 * _half_width(DEPTH_MM) / CELL_MM) + 1), dtype=bool)
    for grid in grids.values():
        rim = np.concatenate([grid[0, 0], grid[0, :, -1], grid[0, -1, ::-1], grid[0, ::-1, 0]])
        heart |= inside(_cells(rim)[:, ::-1] - 0.5, heart.shape)
    # Two cells more, so that nothing settles in a crack between two patches or on a wall.
    distance: Array = distance_transform_edt(~binary_dilation(heart)) * CELL_MM
    return distance


def _nearest(control_mm: Array, position_mm: Array) -> tuple[Array, Indices]:
    """Distances and numbers of the control points nearest to each position, both (N, K)."""
    gap_mm, points = cKDTree(control_mm).query(position_mm, k=NEIGHBOURS)
    return np.asarray(gap_mm), np.asarray(points)


def _half_width(depth_mm: float) -> float:
    return HALF_WIDTH_AT_PROBE_MM + WIDENING * depth_mm


def _cells(position_mm: Array) -> Array:
    """(row, column) of positions (N, 2), fractions kept."""
    cells: Array = np.stack([position_mm[:, 1], position_mm[:, 0] + _half_width(DEPTH_MM)], axis=1) / CELL_MM
    return cells


def _spread(distance_mm: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Positions (N, 2) outside the heart and the density that each was drawn with."""
    near, far = DENSITY_PER_MM2
    rows, columns = distance_mm.shape
    depth_mm = (np.arange(rows) + 0.5) * CELL_MM
    density = far + (near - far) * np.exp(-depth_mm / 25)
    x_mm = (np.arange(columns) + 0.5) * CELL_MM - _half_width(DEPTH_MM)
    inside = np.abs(x_mm) < _half_width(0) + WIDENING * depth_mm[:, None]
    wanted = rng.random(distance_mm.shape) < density[:, None] * CELL_MM**2
    row, column = np.nonzero(wanted & inside & (distance_mm > 0))
    corner = np.stack([x_mm[column], depth_mm[row]], axis=1)
    return corner + rng.uniform(-0.5, 0.5, corner.shape) * CELL_MM, density[row]


def _level_db(position_mm: Array, away_mm: Array, rng: np.random.Generator) -> Array:
    """Layers of skin and muscle near the probe; patches of fat and lung that fade away from the heart."""
    x_mm, depth_mm = position_mm.T
    skin = np.exp(-((depth_mm / rng.uniform(12, 18)) ** 2))
    layers = 4 * np.sin(depth_mm / rng.uniform(0.7, 1.1) + 0.04 * x_mm) + 1
    angle, phase = rng.uniform(0, 2 * np.pi, (2, 8))
    pitch_mm = rng.uniform(15, 60, 8)
    waves = np.multiply.outer(x_mm, np.cos(angle) / pitch_mm) + np.multiply.outer(
        depth_mm, np.sin(angle) / pitch_mm
    )
    patches = np.cos(2 * np.pi * waves + phase).sum(axis=1) * 2
    level_db: Array = skin * layers + (1 - skin) * (patches - 9 - np.minimum(0.25 * away_mm, 14))
    return level_db
