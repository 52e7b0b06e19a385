"""Where things lie: the heart before the probe, samples along the beams, the fan on the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Fan", "PolarGrid", "Pose"]

Real = TypeVar("Real", bound=np.floating[Any])


@dataclass(frozen=True, slots=True)
class Pose:
    """How the heart lies before the probe: shifted from its standard place, then turned about the probe."""

    shift_mm: tuple[float, float]
    """To the right, and down."""
    tilt_deg: float
    """Clockwise on the screen."""

    def place(self, points_mm: npt.NDArray[Real]) -> npt.NDArray[Real]:
        """Where points (..., 2) of the standard heart lie."""
        return self.turn(points_mm + np.array(self.shift_mm, points_mm.dtype))

    def turn(self, directions: npt.NDArray[Real]) -> npt.NDArray[Real]:
        """Where directions (..., 2) of the standard heart point."""
        cosine, sine = float(np.cos(np.deg2rad(self.tilt_deg))), float(np.sin(np.deg2rad(self.tilt_deg)))
        x, y = directions[..., 0], directions[..., 1]
        turned = np.empty_like(directions)
        np.subtract(cosine * x, sine * y, out=turned[..., 0])
        np.add(sine * x, cosine * y, out=turned[..., 1])
        return turned


@dataclass(frozen=True)
class PolarGrid:
    """Depth samples and beams; beams are even in the sine of their angle, as a phased array steers them."""

    num_depths: int
    num_beams: int
    depth_mm: float
    edge_sine: float

    @property
    def shape(self) -> tuple[int, int]:
        """(R, S)."""
        return self.num_depths, self.num_beams

    @property
    def step_mm(self) -> float:
        """Distance of depth samples."""
        return self.depth_mm / (self.num_depths - 1)

    @property
    def sine_step(self) -> float:
        """Distance of beams."""
        return 2.0 * self.edge_sine / (self.num_beams - 1)

    @cached_property
    def radii_mm(self) -> npt.NDArray[np.float32]:
        """(R,): the depth of each sample."""
        return np.linspace(0.0, self.depth_mm, self.num_depths, dtype=np.float32)

    @cached_property
    def sines(self) -> npt.NDArray[np.float32]:
        """(S,): the sine of each beam's angle."""
        return np.linspace(-self.edge_sine, self.edge_sine, self.num_beams, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fan:
    """Where the fan lies on the canvas. Pixel centres have whole coordinates; the probe is at `apex_px`."""

    height: int
    width: int
    apex_px: tuple[float, float]
    """(x, y) of the probe's centre, in pixels."""
    spacing_mm: tuple[float, float]
    """(y, x) size of a pixel."""
    depth_mm: float
    half_angle_rad: float
    top_cut_mm: float = 0.0
    bottom_mm: float | None = None
    """Height below the probe at which a straight line cuts the fan; None for a round bottom."""

    def to_pixels(self, points_mm: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """(..., 2) x, y in probe coordinates to x, y in pixels."""
        return np.asarray(points_mm, np.float64) / self.spacing_mm[::-1] + self.apex_px

    def pixel_positions(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(H, W) x and (H, W) y of the pixel centres, in mm from the probe."""
        y, x = np.mgrid[: self.height, : self.width]
        return (x - self.apex_px[0]) * self.spacing_mm[1], (y - self.apex_px[1]) * self.spacing_mm[0]

    def sector(self) -> npt.NDArray[np.bool_]:
        """(H, W): the pixels of the fan."""
        x, y = self.pixel_positions()
        radius = np.hypot(x, y)
        inside = (radius >= self.top_cut_mm) & (radius <= self.depth_mm)
        inside &= np.abs(x) <= np.tan(self.half_angle_rad) * y
        return inside if self.bottom_mm is None else inside & (y <= self.bottom_mm)
