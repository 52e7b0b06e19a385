"""A closed snake (Kass 1988) on the edge of a mask: a rough mask comes in, one with a smooth outline goes out.

The snake is stiff and drawn to where the blurred mask is steepest. Its stiffness is the same all along a closed line,
so that the implicit step, which is a matrix inverse in general, is a product after a Fourier transform.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage
from scipy.interpolate import RectBivariateSpline
from skimage.filters import sobel
from skimage.measure import find_contours

from apical.config import Config

__all__ = ["SnakeConfig", "filled", "settled_line", "smoothed"]

Mask = npt.NDArray[np.bool_]
Line = npt.NDArray[np.float64]
REMEMBERED = 10
"""Earlier lines that a line is compared with, as it may swing to and fro between a few."""
LEAST_MOVE = 0.1
"""Pixels: a line that comes so close to an earlier one has settled."""


class SnakeConfig(Config):
    """How an outline is made smooth, by default as in the paper; lengths are shares of the image's shorter side."""

    blur: float = Field(default=3 / 112, gt=0)
    """Standard deviation of the blur that gives the mask a slope to be drawn to."""
    tension: float = Field(default=0.0, ge=0)
    """How much the line wants to be short (alpha)."""
    stiffness: float = Field(default=0.2, ge=0)
    """How much it wants to be straight (beta)."""
    step: float = Field(default=0.01, gt=0)
    """How much of where it was counts in each step (gamma)."""
    edges: float = 1.0
    """How strongly edges draw it."""
    iterations: int = Field(default=10, gt=0)
    """Most steps."""


def smoothed(mask: Mask, config: SnakeConfig) -> Mask:
    """The mask (H, W) within the line that its outline settles to; an empty mask stays empty."""
    if not mask.any():
        return mask
    blur = config.blur * min(mask.shape)
    box = _around(mask, round(4 * blur) + REMEMBERED + 2)
    part = np.pad(mask[box].astype(np.float64), 1)
    slope = config.edges * sobel(ndimage.gaussian_filter(part, blur, mode="nearest"))  # type: ignore[no-untyped-call]
    line = max(find_contours(part, 0.5), key=len)[:-1]  # type: ignore[no-untyped-call]
    settled = settled_line(line, slope, config)
    whole = np.zeros_like(mask)
    whole[box] = filled(settled, part.shape)[1:-1, 1:-1]
    return whole


def settled_line(line: Line, height: npt.NDArray[np.float64], config: SnakeConfig) -> Line:
    """Where a closed line (N, 2: row, column) comes to rest that climbs on a surface (H, W)."""
    surface = RectBivariateSpline(np.arange(height.shape[0]), np.arange(height.shape[1]), height, kx=2, ky=2)
    pull_back = _stiffness(len(line), config)
    former: list[Line] = []
    for _ in range(config.iterations):
        rows, columns = line.T
        climb = np.stack([surface.ev(rows, columns, dx=1), surface.ev(rows, columns, dy=1)], axis=1)
        wanted = _convolved(config.step * line + climb, pull_back)
        line = line + np.tanh(wanted - line)
        if len(former) == REMEMBERED:
            nearest = min(np.abs(line - other).sum(axis=1).max() for other in former)
            former.clear()
            if nearest < LEAST_MOVE:
                break
        else:
            former.append(line)
    return line


def filled(line: Line, shape: tuple[int, int]) -> Mask:
    """The pixels (H, W) with centres within a closed line (N, 2: row, column): an odd number of edges is left of them.

    Row by row, all edges at once: thirty times as fast as filling one polygon pixel by pixel.
    """
    ends = np.roll(line, -1, axis=0)
    goes_down = (line[:, 0] <= ends[:, 0])[:, None]
    upper, lower = np.where(goes_down, line, ends), np.where(goes_down, ends, line)
    first = np.maximum(np.ceil(upper[:, 0]), 0).astype(np.int64)
    count = np.maximum(np.minimum(np.ceil(lower[:, 0]), shape[0]).astype(np.int64) - first, 0)
    edge = np.repeat(np.arange(len(line)), count)
    row = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count) + first[edge]
    slope = (lower[edge, 1] - upper[edge, 1]) / (lower[edge, 0] - upper[edge, 0])
    column = upper[edge, 1] + (row - upper[edge, 0]) * slope
    crossings = np.zeros((shape[0], shape[1] + 1), np.int64)
    np.add.at(crossings, (row, np.clip(np.ceil(column), 0, shape[1]).astype(np.int64)), 1)
    return np.asarray(crossings.cumsum(axis=1)[:, :-1] % 2 == 1)


def _stiffness(count: int, config: SnakeConfig) -> Line:
    """What an implicit step divides the line's frequencies by (count // 2 + 1,)."""
    turns = 2 * np.pi * np.arange(count // 2 + 1) / count
    bends = 2 * np.cos(2 * turns) - 8 * np.cos(turns) + 6
    stretches = 2 - 2 * np.cos(turns)
    return np.asarray(config.tension * stretches + config.stiffness * bends + config.step)


def _convolved(line: Line, pull_back: Line) -> Line:
    return np.fft.irfft(np.fft.rfft(line, axis=0) / pull_back[:, None], n=len(line), axis=0)


def _around(mask: Mask, margin: int) -> tuple[slice, slice]:
    """The box of a mask with a margin, within the image."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )
