"""What reflects: grids of moving points come in, scatterers that are fixed to them go out.

A grid is a patch of tissue: control points (T, R, C, 2) in mm that follow the motion. A scatterer keeps its
place between its neighbouring control points for good, so placing all of them is one sparse product a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

__all__ = [
    "REFERENCE_DENSITY_PER_MM2",
    "Fill",
    "Grids",
    "Line",
    "Material",
    "Seeds",
    "Tissue",
    "grow",
    "pack",
]

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]
Grids = Mapping[str, Array]
"""By name: (T, R, C, 2)."""

REFERENCE_DENSITY_PER_MM2 = 2.4
"""Where a level of 0 dB means an amplitude of 1: myocardium."""
SPECULAR_PER_MM = 4.0
PATCHINESS_DB = 2.0


class Material(NamedTuple):
    """A kind of tissue: `level_db` is its mean echo against myocardium, whatever its density."""

    density_per_mm2: float
    level_db: float


class Fill(NamedTuple):
    """A grid filled with diffuse scatterers."""

    grid: str
    material: Material


class Line(NamedTuple):
    """One row of a grid as a specular interface."""

    grid: str
    row: int
    level_db: float


class Seeds(NamedTuple):
    """Scatterers as places among control points: each a weighted mean of K points, plus a fixed offset."""

    points: Indices
    """(N, K)"""
    weights: Array
    """(N, K)"""
    amplitude: Array
    """(N,)"""
    offset_mm: Array
    """(N, 2)"""


@dataclass(frozen=True, slots=True)
class Tissue:
    """Scatterers ready to be placed; the specular ones come first."""

    amplitude: Floats
    means: csr_array
    """(N, G): position from control points."""
    tangents: csr_array
    """(S, G): direction along the interface, for the S specular ones."""
    offset_mm: Floats

    def place(self, control_mm: Array) -> tuple[Floats, Floats]:
        """Positions and normals, each (T, N, 2), for control points (T, G, 2)."""
        position = np.empty((len(control_mm), *self.offset_mm.shape), dtype=np.float32)
        normal = np.zeros_like(position)
        count = self.tangents.shape[0]
        for frame, points in enumerate(np.asarray(control_mm, dtype=np.float32)):
            np.add(self.means @ points, self.offset_mm, out=position[frame])
            tangent = self.tangents @ points
            tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-6)[:, None]
            normal[frame, :count, 0], normal[frame, :count, 1] = tangent[:, 1], -tangent[:, 0]
        return position, normal


def pack(grids: Grids) -> Array:
    """All control points of all grids, one after the other: (T, G, 2)."""
    return np.concatenate([grid.reshape(len(grid), -1, 2) for grid in grids.values()], axis=1)


def grow(
    grids: Grids,
    fills: Sequence[Fill],
    lines: Sequence[Line],
    surroundings: Seeds,
    rng: np.random.Generator,
) -> Tissue:
    """Fill the grids of the relaxed heart (T = 1) evenly with scatterers."""
    starts = _starts(grids)
    specular = [_seed_line(grids[line.grid][0], line, starts[line.grid], rng) for line in lines]
    diffuse = [_seed_fill(grids[fill.grid][0], fill.material, starts[fill.grid], rng) for fill in fills]
    parts = [*(seeds for seeds, _ in specular), *diffuse, surroundings]
    ahead = np.concatenate([tangent for _, tangent in specular])
    points = np.concatenate([seeds.points for seeds, _ in specular])
    size = sum(grid[0, ..., 0].size for grid in grids.values())
    return Tissue(
        amplitude=np.concatenate([part.amplitude for part in parts]).astype(np.float32),
        means=_sparse(
            np.concatenate([p.points for p in parts]), np.concatenate([p.weights for p in parts]), size
        ),
        tangents=_sparse(points, ahead, size),
        offset_mm=np.concatenate([part.offset_mm for part in parts]).astype(np.float32),
    )


def _starts(grids: Grids) -> dict[str, int]:
    """Where each grid's points begin in the packed control points."""
    sizes = [grid[0, ..., 0].size for grid in grids.values()]
    return dict(zip(grids, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))


def _sparse(points: Indices, weights: Array, size: int) -> csr_array:
    rows, width = points.shape
    ends = np.arange(0, rows * width + 1, width)
    return csr_array((weights.ravel().astype(np.float32), points.ravel(), ends), shape=(rows, size))


def _seed_fill(grid: Array, material: Material, start: int, rng: np.random.Generator) -> Seeds:
    """Spread scatterers over a grid (R, C, 2), evenly by area."""
    columns = grid.shape[1]
    cell, count = _spread(_cell_areas(grid).ravel() * material.density_per_mm2, rng)
    row, column = np.divmod(cell, columns - 1)
    along = rng.random(count)
    across = _across(np.linalg.norm(np.diff(grid, axis=1), axis=2), row, column, rng)
    corner = start + row * columns + column
    points = np.stack([corner, corner + 1, corner + columns, corner + columns + 1], axis=1)
    weights = np.stack(
        [(1 - across) * (1 - along), (1 - across) * along, across * (1 - along), across * along], axis=1
    )
    position = (grid.reshape(-1, 2)[points - start] * weights[..., None]).sum(axis=1)
    level_db = material.level_db + PATCHINESS_DB * _patchiness(position, rng)
    thinness = np.sqrt(REFERENCE_DENSITY_PER_MM2 / material.density_per_mm2)
    amplitude = thinness * 10 ** (level_db / 20) * rng.rayleigh(np.sqrt(0.5), count)
    return Seeds(points, weights, amplitude, np.zeros((count, 2)))


def _seed_line(grid: Array, line: Line, start: int, rng: np.random.Generator) -> tuple[Seeds, Array]:
    """Spread specular scatterers along a row; also the weights (N, 4) that give its direction there."""
    curve = grid[line.row]
    cell, count = _spread(np.linalg.norm(np.diff(curve, axis=0), axis=1) * SPECULAR_PER_MM, rng)
    along = rng.random(count)
    none = np.zeros(count)
    first = start + (line.row % len(grid)) * grid.shape[1]
    columns = np.clip(cell[:, None] + np.arange(-1, 3), 0, grid.shape[1] - 1)
    weights = np.stack([none, 1 - along, along, none], axis=1)
    # The slope of a smooth curve through four points, so that the direction does not jump at control points.
    ahead = np.stack([along - 1, -along, 1 - along, along], axis=1)
    amplitude = 10 ** (line.level_db / 20) * rng.uniform(0.6, 1.4, count)
    return Seeds(first + columns, weights, amplitude, np.zeros((count, 2))), ahead


def _spread(expected: Array, rng: np.random.Generator) -> tuple[Indices, int]:
    """Cell numbers such that cell i comes up `expected[i]` times, give or take one."""
    total = np.cumsum(expected)
    count = int(total[-1])
    return np.searchsorted(total, (np.arange(count) + rng.random(count)) * total[-1] / max(count, 1)), count


def _across(edges: Array, row: Indices, column: Indices, rng: np.random.Generator) -> Array:
    """Draw places between a cell's edges (R, C - 1), the longer one the likelier: fans fill evenly."""
    near, far = edges[row, column] + 1e-3, edges[row + 1, column] + 2e-3
    root = np.sqrt(near**2 + rng.random(len(row)) * (far**2 - near**2))
    return np.clip((root - near) / np.where(np.abs(far - near) < 1e-6, 1e-6, far - near), 0, 1)


def _cell_areas(grid: Array) -> Array:
    """Areas of the quadrilaterals of a grid (R, C, 2)."""
    first, second = grid[1:, 1:] - grid[:-1, :-1], grid[1:, :-1] - grid[:-1, 1:]
    return 0.5 * np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])


def _patchiness(position_mm: Array, rng: np.random.Generator) -> Array:
    """Give a smooth random field of unit variance: tissue is brighter here than there."""
    waves = 6
    angle, phase = rng.uniform(0, 2 * np.pi, (2, waves))
    radians_per_mm = 2 * np.pi / rng.uniform(8, 30, waves)
    direction = np.stack([np.cos(angle), np.sin(angle)]) * radians_per_mm
    field: Array = np.cos(position_mm @ direction + phase).sum(axis=1) * np.sqrt(2 / waves)
    return field
