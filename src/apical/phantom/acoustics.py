"""The receiver: tissue's complex echo comes in; shadow, haze, noise, log compression: levels go out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apical.phantom.beams import Beams, Echo
from apical.phantom.conditions import Conditions, Shadow
from apical.phantom.geometry import PolarGrid
from apical.phantom.styles import Style

__all__ = ["Receiver", "grey_table"]

Levels = npt.NDArray[np.float32]
"""(T, R, S): 0 is black, 1 is white."""

TISSUE_PERCENTILE = 90.0
"""The part of the first frame that counts as bright tissue is above this percentile."""

NOISE_RISE_DB = 16.0
"""How much the gain curve lifts the electronics' noise from top to bottom."""

NOISE_TILES = 4

POWER_BITS = 16
"""Leading bits of a float32 that pick its level from a table: sign, exponent and 7 of the mantissa."""

LARGEST_POWER_CODE = np.float32(3e38).view(np.uint32)
"""Codes above this one stand for negative numbers and for what is no number."""


class Receiver:
    """One machine, set once for a clip; frames go through it in order."""

    def __init__(
        self, beams: Beams, style: Style, conditions: Conditions, draw: np.random.Generator, first: Echo
    ) -> None:
        grid = beams.grid
        self.style, self.draw = style, draw
        bright = _bright_tissue(first)
        self.window = _window(grid, conditions, draw)
        self.still = _near_field(beams, conditions, draw) * bright
        self.noise = _noise_tiles(beams, draw)
        self.noise_map = _noise_amplitude(grid, style, conditions, draw) * np.float32(bright)
        self.level_of_power = _level_table(style, conditions.gain_db, bright)
        self.former: Levels | None = None

    def receive(self, echo: Echo) -> Levels:
        """Levels (T, R, S) of the next frames' echo (T, R, S)."""
        heard = echo * self.window
        heard += self.still
        for frame in heard:
            frame += self._fresh_noise() * self.noise_map
        power = heard.real**2 + heard.imag**2
        levels = self.level_of_power[power.view(np.uint32) >> (32 - POWER_BITS)]
        return self._persist(self._filter(levels))

    def _fresh_noise(self) -> Echo:
        """Cut (R, S) out of the noise, so that hardly two frames share it."""
        tile: Echo = self.noise[int(self.draw.integers(NOISE_TILES))]
        start = int(self.draw.integers(tile.shape[1] // 2))
        return tile[:, start : start + tile.shape[1] // 2]

    def _filter(self, levels: Levels) -> Levels:
        """Smooth speckle, then lift edges."""
        smooth = _blur(levels, self.style.smoothing)
        if self.style.edge_gain == 0:
            return smooth
        return smooth + np.float32(self.style.edge_gain) * (smooth - _blur(smooth, 1 / 3))

    def _persist(self, levels: Levels) -> Levels:
        """Mix each frame with the one shown before, in place."""
        keep = np.float32(self.style.persistence)
        for frame in levels:
            if self.former is not None:
                frame += keep * (self.former - frame)
            self.former = frame
        return levels


def grey_table(style: Style) -> npt.NDArray[np.uint8]:
    """(256,): the grey that the style shows for each level."""
    levels, greys = zip(*style.grey_curve, strict=True)
    return np.asarray(np.rint(255.0 * np.interp(np.linspace(0.0, 1.0, 256), levels, greys)), np.uint8)


def _bright_tissue(echo: Echo) -> float:
    """Amplitude of bright tissue: what a sonographer sets the gain by."""
    return float(np.percentile(np.abs(echo[0]), TISSUE_PERCENTILE)) or 1.0


def _level_table(style: Style, gain_db: float, bright: float) -> npt.NDArray[np.float32]:
    """Level of each power, by its leading bits: the logarithm, clipped to the dynamic range."""
    codes = np.arange(1 << POWER_BITS, dtype=np.uint32) << (32 - POWER_BITS)
    power = np.minimum(codes, LARGEST_POWER_CODE).view(np.float32).astype(np.float64)
    above_white_db = 10.0 * np.log10((power + 1e-30) / bright**2) + gain_db - style.headroom_db
    return np.asarray(np.clip(1.0 + above_white_db / style.dynamic_range_db, 0.0, 1.0), np.float32)


def _window(grid: PolarGrid, conditions: Conditions, draw: np.random.Generator) -> npt.NDArray[np.float32]:
    """(R, S): how much of the echo comes through ribs, lung and fat."""
    depth = grid.radii_mm[:, None] / grid.depth_mm
    angle_deg = np.rad2deg(np.arcsin(grid.sines))[None, :]
    loss_db = conditions.unevenness_db * _smooth_field(grid, draw) + conditions.tgc_tilt_db * (0.5 - depth)
    for shadow in conditions.shadows:
        loss_db = loss_db + _shadow_db(shadow, grid.radii_mm[:, None], angle_deg)
    return (10.0 ** (-loss_db / 20.0)).astype(np.float32)


def _shadow_db(
    shadow: Shadow, radius_mm: npt.NDArray[np.float32], angle_deg: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Loss behind a shadow, with soft sides and a soft start."""
    across = np.exp(-(np.abs((angle_deg - shadow.angle_deg) / shadow.width_deg) ** 3))
    behind = 1.0 / (1.0 + np.exp(-(radius_mm - shadow.start_mm) / 3.0))
    return np.asarray(shadow.strength_db * across * behind)


def _smooth_field(grid: PolarGrid, draw: np.random.Generator) -> npt.NDArray[np.float64]:
    """(R, S) slow changes over the fan, about 0 with unit variance."""
    depth = np.linspace(0.0, np.pi, grid.num_depths)
    across = np.linspace(0.0, np.pi, grid.num_beams)
    weights = draw.standard_normal((3, 5)) / (1.0 + np.add.outer(np.arange(3), np.arange(5)))
    weights[0, 0] = 0.0
    waves = np.cos(np.outer(depth, np.arange(3))) @ weights @ np.cos(np.outer(np.arange(5), across))
    return np.asarray(waves / max(float(waves.std()), 1e-9))


def _near_field(beams: Beams, conditions: Conditions, draw: np.random.Generator) -> Echo:
    """(R, S) echoes that stand still: clutter below the probe, and ghosts at multiples of the chest wall."""
    radius_mm = beams.grid.radii_mm.astype(np.float64)
    clutter = _decibels(conditions.clutter_db) * np.exp(-((radius_mm / draw.uniform(7.0, 16.0)) ** 1.5))
    wall_mm = draw.uniform(14.0, 26.0)
    ghosts = np.zeros_like(radius_mm)
    for bounce in (1, 2, 3):
        ring = np.exp(-0.5 * ((radius_mm - bounce * wall_mm) / (0.8 + 0.5 * bounce)) ** 2)
        ghosts += _decibels(conditions.reverberation_db - 5.0 * (bounce - 1)) * ring
    across = 0.5 + 0.5 * np.tanh(_smooth_field(beams.grid, draw))
    speckle = _speckle(beams, beams.grid.shape, draw)
    return (speckle * (clutter[:, None] + ghosts[:, None] * across)).astype(np.complex64)


def _noise_amplitude(
    grid: PolarGrid, style: Style, conditions: Conditions, draw: np.random.Generator
) -> npt.NDArray[np.float32]:
    """(R, S): electronic noise, which the gain curve lifts with depth, and haze, strongest high up."""
    depth = (grid.radii_mm / grid.depth_mm).astype(np.float64)
    noise = _decibels(conditions.noise_db + style.noise_db + NOISE_RISE_DB * (depth - 1.0))
    veil = np.exp(-0.5 * ((depth - draw.uniform(0.2, 0.45)) / 0.25) ** 2)
    haze = _decibels(conditions.haze_db + 4.0 * _smooth_field(grid, draw)) * veil[:, None]
    return np.sqrt(noise[:, None] ** 2 + haze**2).astype(np.float32)


def _noise_tiles(beams: Beams, draw: np.random.Generator) -> Echo:
    """(tiles, R, 2 S) of unit power; wide enough to cut many frames from."""
    R, S = beams.grid.shape
    halves = [_speckle(beams, (NOISE_TILES, R, S), draw) for _ in range(2)]
    return np.concatenate(halves, axis=-1)


def _speckle(beams: Beams, shape: tuple[int, ...], draw: np.random.Generator) -> Echo:
    """Fully developed speckle of unit power, as fine as the beam makes it."""
    points = draw.standard_normal((*shape, 2), np.float32).view(np.complex64)[..., 0]
    echo = beams.spread(points.reshape(-1, *shape[-2:])).reshape(shape)
    return np.asarray(echo / np.sqrt((np.abs(echo) ** 2).mean()), np.complex64)


def _blur(levels: Levels, weight: float) -> Levels:
    """Give each sample's neighbours this weight, along depth and across beams; the rim stays."""
    side, centre = np.float32(weight), np.float32(1.0 - 2.0 * weight)
    out = levels.copy()
    out[:, 1:-1] = centre * levels[:, 1:-1] + side * (levels[:, :-2] + levels[:, 2:])
    across = out.copy()
    across[..., 1:-1] = centre * out[..., 1:-1] + side * (out[..., :-2] + out[..., 2:])
    return across


def _decibels(level_db: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn a level into a ratio of amplitudes."""
    return np.asarray(10.0 ** (np.asarray(level_db) / 20.0))
