"""What a window and the knobs do to a clip: a generator comes in, noise, haze, shadows and gain go out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Conditions", "Shadow", "draw_conditions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A rib or a piece of lung between probe and heart."""

    angle_deg: float
    width_deg: float
    start_mm: float
    strength_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How well the heart is seen. Levels are against bright tissue."""

    quality: float
    """0 for the poorest window, 1 for the best; the other fields follow from it, with chance."""
    gain_db: float
    tgc_tilt_db: float
    """What the gain curve leaves uneven between top and bottom."""
    noise_db: float
    """Of the electronics, at the bottom."""
    haze_db: float
    clutter_db: float
    reverberation_db: float
    unevenness_db: float
    """How much ribs and fat dim one part of the fan against another."""
    dropout_power: float
    """How sharply mirrors dim as they turn away from the beam."""
    shadows: tuple[Shadow, ...]


def draw_conditions(draw: np.random.Generator) -> Conditions:
    """Draw from the best to the poorest window that is still recorded."""
    quality = float(draw.beta(1.5, 1.6))
    return Conditions(
        quality=quality,
        gain_db=float(draw.normal(0.0, 2.5)),
        tgc_tilt_db=float(draw.uniform(-6.0, 6.0)),
        noise_db=_between(-8.0, -33.0, quality) + float(draw.normal(0.0, 2.0)),
        haze_db=_between(-8.0, -31.0, quality) + float(draw.normal(0.0, 3.0)),
        clutter_db=_between(2.0, -8.0, quality) + float(draw.normal(0.0, 3.0)),
        reverberation_db=_between(-8.0, -26.0, quality) + float(draw.normal(0.0, 4.0)),
        unevenness_db=_between(8.0, 4.0, quality),
        dropout_power=float(draw.uniform(1.5, 4.0)),
        shadows=tuple(_draw_shadow(draw) for _ in range(int(draw.poisson(1.6 - quality)))),
    )


def _draw_shadow(draw: np.random.Generator) -> Shadow:
    """Most shadows lie toward a side: whoever holds the probe looks for a window in the middle."""
    side = float(draw.choice((-1.0, 1.0)))
    return Shadow(
        angle_deg=side * float(draw.triangular(2.0, 34.0, 42.0)),
        width_deg=float(draw.uniform(3.0, 8.0)),
        start_mm=float(draw.uniform(10.0, 55.0)),
        strength_db=float(draw.uniform(6.0, 22.0)),
    )


def _between(poorest: float, best: float, quality: float) -> float:
    return poorest + (best - poorest) * quality
