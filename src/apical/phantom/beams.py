"""The beams: scatterers in front of the probe come in, their complex echo on a polar grid goes out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.sparse import csc_array

from apical.phantom.geometry import PolarGrid, Pose
from apical.phantom.styles import Style

__all__ = ["Beams", "Echo"]

Echo = npt.NDArray[np.complex64]
"""(T, R, S): frames, depth samples, beams."""

PHASES = 256
TURN = np.linspace(0.0, 2.0 * np.pi, PHASES, endpoint=False)
WAVE = np.stack([np.cos(TURN), np.sin(TURN)], axis=1).astype(np.float32)
"""(phases, 2): real and imaginary part; a table, so that every machine gives the same echo."""

BORDER = 2
"""Cells around the grid that take what falls outside it."""


class Beams:
    """What the probe hears: where each echo lands and how far it spreads."""

    def __init__(self, grid: PolarGrid, pose: Pose, style: Style, dropout_power: float) -> None:
        self.grid, self.pose, self.style, self.dropout_power = grid, pose, style, dropout_power
        self.pulse = _pulse(style.pulse_mm / grid.step_mm)
        self.lateral = _lateral_transfer(grid, style)
        near_mm = 0.05 * grid.depth_mm
        # A cell holds more scatterers the deeper it lies; the machine's gain makes up for that.
        self.depth_gain = (1.0 / np.sqrt(np.maximum(grid.radii_mm, near_mm)))[:, None].astype(np.float32)

    def hear(
        self,
        position_mm: npt.NDArray[np.float32],
        amplitude: npt.NDArray[np.float32],
        normal: npt.NDArray[np.float32],
        phase: npt.NDArray[np.int32],
    ) -> Echo:
        """Hear scatterers at (T, N, 2), of amplitudes (N,), normals (T, N, 2) and phases (N,): (T, R, S)."""
        reached = self._within_reach(position_mm)
        placed_mm = self.pose.place(position_mm.take(reached, axis=1))
        x, y = placed_mm[..., 0], placed_mm[..., 1]
        radius_mm = np.sqrt(x * x + y * y) + np.float32(1e-3)
        strength = np.where(y > 0, amplitude[reached], np.float32(0.0))
        mirrors = np.flatnonzero(np.any(normal[0, reached] != 0, axis=-1))
        toward = self.pose.turn(normal.take(reached[mirrors], axis=1)) * placed_mm[:, mirrors]
        facing = np.abs(toward[..., 0] + toward[..., 1]) / radius_mm[:, mirrors]
        strength[:, mirrors] *= facing**self.dropout_power
        return self.spread(self._gather(radius_mm, x / radius_mm, strength, phase[reached]) * self.depth_gain)

    def spread(self, echo: Echo) -> Echo:
        """Smear (T, R, S) points over the pulse and the beam."""
        spectrum = fft.fft(echo, axis=-1)
        spectrum *= self.lateral
        return _convolve_depths(fft.ifft(spectrum, axis=-1, overwrite_x=True), self.pulse)

    def _within_reach(self, position_mm: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """Find the scatterers that are on the grid at the first or the last moment."""
        ends_mm = self.pose.place(position_mm[[0, -1]])
        radius_mm = np.hypot(ends_mm[..., 0], ends_mm[..., 1])
        on_grid = (radius_mm < self.grid.depth_mm) & (
            np.abs(ends_mm[..., 0]) < self.grid.edge_sine * radius_mm
        )
        return np.flatnonzero(on_grid.any(axis=0))

    def _gather(
        self,
        radius_mm: npt.NDArray[np.float32],
        sine: npt.NDArray[np.float32],
        strength: npt.NDArray[np.float32],
        phase: npt.NDArray[np.int32],
    ) -> Echo:
        """Sum (T, N) echoes into the cells of the grid, shared between the four nearest."""
        grid, T = self.grid, len(radius_mm)
        rows, columns = grid.num_depths + 2 * BORDER, grid.num_beams + 2 * BORDER
        depth_cell, depth_part = _cells(radius_mm * np.float32(1.0 / grid.step_mm), grid.num_depths)
        beam_cell, beam_part = _cells(
            (sine + np.float32(grid.edge_sine)) * np.float32(1.0 / grid.sine_step), grid.num_beams
        )
        cell = depth_cell * columns + beam_cell + (rows * columns * np.arange(T, dtype=np.int32))[:, None]
        far = strength * depth_part
        near = strength - far
        turns = radius_mm * np.float32(2.0 * PHASES / self.style.wavelength_mm)
        wave = WAVE[(turns.astype(np.int32) + phase).ravel() & (PHASES - 1)]
        echo = np.zeros((T * rows * columns, 2), np.float32)
        for step, share in ((0, near), (columns, far)):
            right = share * beam_part
            _add_shares(echo, share - right, cell + step, wave)
            _add_shares(echo, right, cell + (step + 1), wave)
        whole: Echo = echo.view(np.complex64).reshape(T, rows, columns)
        return whole[:, BORDER:-BORDER, BORDER:-BORDER]


def _add_shares(
    echo: npt.NDArray[np.float32],
    share: npt.NDArray[np.float32],
    cell: npt.NDArray[np.int32],
    wave: npt.NDArray[np.float32],
) -> None:
    """Add each scatterer's share of its wave (T N, 2) to its cell of the echo (cells, 2), in place."""
    # A sparse product sums far faster than fancy indexing does: one column a scatterer, one entry each.
    starts = np.arange(cell.size + 1, dtype=np.int32)
    echo += csc_array((share.ravel(), cell.ravel(), starts), shape=(len(echo), cell.size)) @ wave


def _cells(
    place: npt.NDArray[np.float32], count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Find the cell below each place, and the part of the way to the next."""
    inside = np.clip(place + np.float32(BORDER), 0.0, count + BORDER)
    cell = inside.astype(np.int32)
    return cell, inside - cell.astype(np.float32)


def _pulse(sigma: float) -> npt.NDArray[np.float32]:
    """Sample an axial pulse of unit energy, as wide as it needs to be."""
    reach = max(1, round(2.5 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 0.3)) ** 2)
    return np.asarray(taps / np.sqrt((taps**2).sum()), np.float32)


def _lateral_transfer(grid: PolarGrid, style: Style) -> npt.NDArray[np.float32]:
    """(R, S) along the beams: a Gaussian that widens away from the focus, on a pedestal of side lobes."""
    away = (grid.radii_mm / grid.depth_mm - style.focus) / style.focus
    sigma = np.deg2rad(style.beam_deg) * np.sqrt(1.0 + (style.defocus * away) ** 2)
    frequency = np.asarray(fft.fftfreq(grid.num_beams, grid.sine_step), np.float64)
    main = _gaussian_transfer(sigma, frequency)
    lobes = _gaussian_transfer(8.0 * sigma, frequency) * 10.0 ** (style.sidelobe_db / 20.0) * 8.0
    transfer = main + lobes
    return np.asarray(transfer / np.sqrt((transfer**2).mean(axis=1, keepdims=True)), np.float32)


def _gaussian_transfer(
    sigma: npt.NDArray[np.float64], frequency: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.asarray(np.exp(-2.0 * (np.pi * sigma[:, None] * frequency[None, :]) ** 2))


def _convolve_depths(echo: Echo, taps: npt.NDArray[np.float32]) -> Echo:
    """Convolve (T, R, S) along R, zero beyond the ends."""
    reach = len(taps) // 2
    out: Echo = echo * taps[reach]
    for lag in range(1, reach + 1):
        out[:, lag:] += echo[:, :-lag] * taps[reach - lag]
        out[:, :-lag] += echo[:, lag:] * taps[reach + lag]
    return out
