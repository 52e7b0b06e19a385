"""Pairs of masks to measure: round, ragged, touching the border, in pieces, one within the other, far apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from apical.metrics.base import MaskPair

Mask = npt.NDArray[np.bool_]
SHAPE = (48, 64)
EMPTY = np.zeros(SHAPE, dtype=bool)


def disc(row: float, column: float, radius: float) -> Mask:
    """A filled circle."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.asarray((y - row) ** 2 + (x - column) ** 2 <= radius**2)


def ragged(seed: int) -> Mask:
    """Pieces with holes that reach the image's border."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 3)
    return np.asarray(noise > 0.02)


def point(row: int, column: int) -> Mask:
    """One pixel."""
    mask = EMPTY.copy()
    mask[row, column] = True
    return mask


def pairs(spacing: tuple[float, float] = (1.0, 1.0)) -> dict[str, MaskPair]:
    """Pairs by name, none of them empty."""
    masks = {
        "overlapping": (disc(24, 30, 12), disc(22, 34, 13)),
        "nested": (disc(24, 30, 6), disc(24, 32, 18)),
        "apart": (disc(10, 10, 5), disc(35, 50, 8)),
        "at the border": (disc(0, 0, 14), disc(2, 1, 20)),
        "ragged": (ragged(1), ragged(2)),
        "alike": (ragged(1), ragged(1) ^ point(20, 20)),
        "points": (point(3, 5), point(40, 60)),
        "a point and all": (point(0, 63), np.ones(SHAPE, dtype=bool)),
    }
    return {name: MaskPair(found, truth, spacing) for name, (found, truth) in masks.items()}
