"""The left ventricle cut along its axis: sizes of each moment come in, curves (T, P, 2) in mm go out.

Cut along its axis, the ventricle is a bag: each level s, 0 at the apex and 1 at the base, has a chord
across the axis. Its outline is walked with theta from -1 (base, first side) through 0 (apex) to 1 (base,
second side), where s = theta^2, so that points are spaced evenly even where the apex is round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["DISC_LEVELS", "THETA", "BagShape", "LongAxisCavity", "bullet", "sac"]

Array = npt.NDArray[np.float64]

THETA: Array = np.linspace(-1, 1, 97)
DISC_LEVELS: Array = np.linspace(0.01, 0.99, 20)
"""Where the twenty discs are cut."""


def bullet(levels: Array, widest_at: float, roundness: float, base: float | Array) -> Array:
    """Width at each level against the greatest: round at 0, greatest at `widest_at`, `base` at 1."""
    towards_apex = np.clip((widest_at - levels) / widest_at, 0, 1)
    towards_base = np.clip((levels - widest_at) / (1 - widest_at), 0, 1)
    rounded: Array = (1 - towards_apex**roundness) ** (1 / roundness)
    return rounded - (1 - base) * towards_base**2


@dataclass(frozen=True, slots=True, kw_only=True)
class BagShape:
    """A ventricle's form without its size."""

    widest_at: float
    roundness: float
    base: float
    asymmetry: float = 0.0
    """How far the middle of the chords bows to the second side, against half the greatest width."""
    narrowing: float = 0.18
    """How much more the apex closes than the base in systole."""

    def half_width(self, levels: Array, contraction: Array) -> Array:
        """(T, P), for a greatest half width of about 1."""
        relaxed = bullet(levels, self.widest_at, self.roundness, self.base)
        return relaxed * (1 - self.narrowing * np.multiply.outer(contraction, 1 - levels))

    def bow(self, levels: Array) -> Array:
        """(P,): where the chords' middles lie, zero at both ends."""
        return self.asymmetry * np.sin(np.pi * levels)


class LongAxisCavity(NamedTuple):
    """A ventricle cut along its axis, at T moments."""

    shape: BagShape
    apex_mm: Array
    """(T, 2)"""
    axis: Array
    """(2,): from apex to base."""
    lateral: Array
    """(2,): from the first side to the second."""
    length_mm: Array
    scale_mm: Array
    """(T,): half width that the shape's 1 stands for."""
    contraction: Array

    def at(self, levels: Array, sides: Array | float) -> Array:
        """Points (T, P, 2) at levels (P,); side -1 and 1 are the walls, 0 is the axis itself."""
        across = self.shape.half_width(levels, self.contraction) * sides
        across = (across + self.shape.bow(levels) * np.abs(sides)) * self.scale_mm[:, None]
        along = np.multiply.outer(self.length_mm, levels)
        return self.apex_mm[:, None] + along[..., None] * self.axis + across[..., None] * self.lateral

    def outline(self) -> Array:
        """Give the endocardium (T, P, 2), from base over apex to base."""
        return self.at(THETA**2, np.sign(THETA))

    @staticmethod
    def scale_for_volume(shape: BagShape, contraction: Array, length_mm: Array, volume_ml: Array) -> Array:
        """Give the scale (T,) with which twenty discs add up to the volume."""
        squares = (2 * shape.half_width(DISC_LEVELS, contraction)) ** 2
        unit_ml = np.pi / 4 * squares.sum(axis=1) * length_mm / len(DISC_LEVELS) / 1000
        scale: Array = np.sqrt(volume_ml / unit_ml)
        return scale


def sac(roof: Array, ends: Array, half_mm: Array, lateral: Array) -> Array:
    """Outline an atrium (T, P, 2), walked with theta: round at the roof, as wide as the annulus at its base.

    `roof` is (T, 2), `ends` (T, 2, 2) are the annulus, `half_mm` (T,) the greatest half width.
    """
    base_half_mm = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / 2
    widths = half_mm[:, None] * bullet(THETA**2, 0.5, 2.5, (base_half_mm / half_mm)[:, None])
    spine = roof[:, None] + (THETA**2)[:, None] * (ends.mean(axis=1) - roof)[:, None]
    outline: Array = spine + (np.sign(THETA) * widths)[..., None] * lateral
    return outline
