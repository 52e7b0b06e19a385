"""Walls and bands: curves (T, P, 2) in mm come in, curves beside them and grids (T, R, P, 2) go out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apical.phantom.anatomy._cavity import THETA

__all__ = [
    "WALL_GAIN",
    "around",
    "band",
    "bump",
    "enclosed_mm2",
    "halves",
    "resample",
    "shell",
    "side_points",
    "thicken",
    "wall_area_mm2",
    "wall_outward",
]

Array = npt.NDArray[np.float64]

APEX_THINNING, GROOVE_THINNING = 0.25, 0.6
"""At the apex, and where the free wall meets the groove between ventricle and atrium."""
WALL_GAIN = 0.08
"""How much more wall a long-axis plane shows at end-systole: what leaves it along the round comes into it."""


def wall_outward(axis: Array, lateral: Array, first_mm: float, second_mm: float) -> Array:
    """Direction times thickness at each theta, (P, 2); the thickness is exact from the middle to the base."""
    share = np.clip(0.5 + THETA, 0, 1)
    thickness = first_mm + (second_mm - first_mm) * share**2 * (3 - 2 * share)
    thickness *= 1 - APEX_THINNING * np.clip(1 - np.abs(THETA) / 0.6, 0, 1)
    thickness *= 1 - GROOVE_THINNING * np.clip((THETA - 0.84) / 0.16, 0, 1) ** 2
    return _directions(axis, lateral) * thickness[:, None]


def _directions(axis: Array, lateral: Array) -> Array:
    """Where the wall grows to at each theta, (P, 2): away from the apex, then straight across."""
    share = np.clip(np.abs(THETA) / 0.75, 0, 1)
    angle = np.sign(THETA) * np.pi / 2 * np.sin(share * np.pi / 2)
    return np.multiply.outer(np.sin(angle), lateral) - np.multiply.outer(np.cos(angle), axis)


def thicken(inner: Array, outward: Array, area_mm2: Array) -> Array:
    """Give the outer border of a wall with a given area (T,).

    `inner` is (T, P, 2); `outward` (P, 2) holds direction and relative thickness. The area between the two
    closed borders is a quadratic in the common factor, so the factor that conserves the wall is exact.
    """
    linear = _shoelace(inner, outward) + _shoelace(outward, inner)
    square = _shoelace(outward, outward) * np.sign(linear)
    factor = (np.sqrt(linear**2 + 4 * square * area_mm2) - np.abs(linear)) / (2 * square)
    outer: Array = inner + factor[:, None, None] * outward
    return outer


def wall_area_mm2(inner: Array, outward: Array) -> Array:
    """Area (T,) of the wall that `outward` alone makes."""
    area: Array = np.abs(enclosed_mm2(inner + outward)) - np.abs(enclosed_mm2(inner))
    return area


def enclosed_mm2(outline: Array) -> Array:
    """Signed area (T,) of closed outlines (T, P, 2)."""
    return _shoelace(outline, outline)


def _shoelace(first: Array, second: Array) -> Array:
    following = np.roll(second, -1, axis=-2)
    total: Array = 0.5 * (first[..., 0] * following[..., 1] - first[..., 1] * following[..., 0]).sum(axis=-1)
    return total


def resample(curve: Array, at: Array) -> Array:
    """Points of a curve (T, P, 2) at fractional places, 0 to P - 1."""
    below = np.minimum(at.astype(np.intp), curve.shape[1] - 2)
    share = (at - below)[:, None]
    points: Array = curve[:, below] * (1 - share) + curve[:, below + 1] * share
    return points


def shell(curve: Array, thickness_mm: Array | float, away_from: Array) -> Array:
    """Give the curve shifted along its normals, away from points (T, 2)."""
    tangent = np.gradient(curve, axis=1)
    normal = np.stack([tangent[..., 1], -tangent[..., 0]], axis=-1)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    outwards = np.sign((normal * (curve - away_from[:, None])).sum(axis=(1, 2)))
    shifted: Array = curve + normal * outwards[:, None, None] * np.asarray(thickness_mm)[..., None]
    return shifted


def band(*curves: Array) -> Array:
    """Give a grid (T, R, P, 2) whose rows are the curves."""
    return np.stack(curves, axis=1)


def halves(outline: Array) -> Array:
    """Give a grid that fills an outline walked with theta: its rows are the two sides, from apex to base."""
    middle = outline.shape[1] // 2
    return band(outline[:, middle::-1], outline[:, middle:])


def around(grid: Array) -> Array:
    """Give the closed outline of a grid with two rows (T, 2, P, 2)."""
    return np.concatenate([grid[:, 0], grid[:, 1, ::-1]], axis=1)


def side_points(outline: Array, start: float, stop: float) -> Array:
    """Twenty-five points of an outline between two thetas."""
    middle = (outline.shape[1] - 1) / 2
    return resample(outline, middle * (1 + np.linspace(start, stop, 25)))


def bump(wall: Array, facing: Array, reach: float) -> Array:
    """Give a swelling of an inner wall (T, P, 2) towards what it faces, a share `reach` of the way."""
    height = reach * np.sin(np.linspace(0, np.pi, wall.shape[1])) ** 0.7
    return band(wall, wall + (facing - wall) * height[:, None])
