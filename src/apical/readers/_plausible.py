"""Claims of headers: a number comes in, the number or None goes out, since a header can claim anything."""

from __future__ import annotations

import math

__all__ = ["plausible_fps", "plausible_spacing"]

SLOWEST_HZ, FASTEST_HZ = 1.0, 1000.0
FINEST_MM, COARSEST_MM = 0.05, 2.0


def plausible_fps(fps_hz: float | None) -> float | None:
    """A frame rate that an ultrasound machine can have."""
    if fps_hz is None or not math.isfinite(fps_hz) or not SLOWEST_HZ <= fps_hz <= FASTEST_HZ:
        return None
    return fps_hz


def plausible_spacing(y_mm: float, x_mm: float) -> tuple[float, float] | None:
    """Pixel sizes (y, x) that a cardiac image can have; signs are dropped."""
    if not all(math.isfinite(side) and FINEST_MM <= abs(side) <= COARSEST_MM for side in (y_mm, x_mm)):
        return None
    return abs(y_mm), abs(x_mm)
