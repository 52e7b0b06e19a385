"""The outline of a sector: a blob of tissue comes in, a fan or a convex outline around it goes out.

An outline is one left and one right end a row, so it can be drawn at any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Outline", "fit_fan", "outline_of"]

Mask = npt.NDArray[np.bool_]
Line = npt.NDArray[np.float64]

MARGIN = 1.0
"""Pixels of the working size that an outline is widened by: edges of tissue are soft."""
NEAR = 1.5
"""Pixels within which an end of a row lies on a side of the fan."""
OUTSIDE_COST = 2.0
"""What an end outside a side costs, in ends that lie on it."""
TRIED_ROWS = 24
SLOPES = 0.15, 2.2
"""Least and greatest sideways run of a fan's side a row."""
FEWEST_ROWS = 12
TIP_SHARE = 0.3
"""A tip within this much of the blob's height above it is drawn: the near field is often still."""
LEAST_INSIDE = 0.97
"""Share of the blob that a fan must hold."""
LEAST_FILLED = 0.35
"""Share of a fan that the blob must fill."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Rows of the working size with their first and last column, in pixels; ascending rows."""

    rows: Line
    left: Line
    right: Line

    def mask(self, shape: tuple[int, ...], factor: int) -> Mask:
        """Draw the outline (H, W) where `factor` pixels are one of the working size."""
        rows = (np.arange(shape[0]) + 0.5) / factor - 0.5
        left = np.interp(rows, self.rows, self.left, left=np.inf, right=np.inf)
        right = np.interp(rows, self.rows, self.right, left=-np.inf, right=-np.inf)
        columns = (np.arange(shape[1]) + 0.5) / factor - 0.5
        return np.asarray((columns >= left[:, None]) & (columns <= right[:, None]))


def outline_of(blob: Mask) -> Outline:
    """The convex outline of a blob."""
    rows, left, right = _ends(blob)
    return _widened(rows, -_upper_hull(rows, -left), _upper_hull(rows, right))


def fit_fan(blob: Mask, least_on_side: float) -> Outline | None:
    """Two straight sides that meet above, and a bow below; None if that is not the blob's shape.

    `least_on_side` is the share of its rows, less those beyond, that must end on each side.
    """
    rows, left, right = _ends(blob)
    if len(rows) < FEWEST_ROWS:
        return None
    width = blob.shape[1]
    left_side = _side(rows, -left, left > 0, least_on_side)
    right_side = _side(rows, right, right < width - 1, least_on_side)
    if left_side is None or right_side is None:
        return None
    outline = _fan_between(blob, rows, (-left_side[0], -left_side[1]), right_side)
    inside = blob & outline.mask(blob.shape, 1)
    filled = inside.sum() / max(1, outline.mask(blob.shape, 1).sum())
    return outline if inside.sum() >= LEAST_INSIDE * blob.sum() and filled >= LEAST_FILLED else None


def _ends(blob: Mask) -> tuple[Line, Line, Line]:
    """Rows with tissue, and the first and last column of each."""
    rows = np.flatnonzero(blob.any(axis=1))
    left = blob[rows].argmax(axis=1)
    right = blob.shape[1] - 1 - blob[rows, ::-1].argmax(axis=1)
    return rows.astype(np.float64), left.astype(np.float64), right.astype(np.float64)


def _widened(rows: Line, left: Line, right: Line) -> Outline:
    rows = np.concatenate([[rows[0] - MARGIN], rows, [rows[-1] + MARGIN]])
    left, right = np.pad(left, 1, mode="edge") - MARGIN, np.pad(right, 1, mode="edge") + MARGIN
    return Outline(rows, left, right)


def _upper_hull(x: Line, y: Line) -> Line:
    """The least concave function that is nowhere below `y`, at each `x` (ascending)."""
    hull: list[int] = []
    for index in range(len(x)):
        while len(hull) > 1 and _turns_left(x, y, hull[-2], hull[-1], index):
            hull.pop()
        hull.append(index)
    return np.interp(x, x[hull], y[hull])


def _turns_left(x: Line, y: Line, a: int, b: int, c: int) -> bool:
    return bool((y[b] - y[a]) * (x[c] - x[a]) <= (y[c] - y[a]) * (x[b] - x[a]))


def _side(rows: Line, ends: Line, is_free: Mask, least_on_side: float) -> tuple[float, float] | None:
    """The line `ends = slope * rows + offset` on which most ends lie and beyond which few do.

    Ends at the frame's own border say nothing of the fan.
    """
    rows, ends = rows[is_free], ends[is_free]
    if len(rows) < FEWEST_ROWS:
        return None
    picks = np.linspace(0, len(rows) - 1, min(TRIED_ROWS, len(rows))).astype(np.intp)
    first, second = (picks[index] for index in np.triu_indices(len(picks), 1))
    slopes = (ends[second] - ends[first]) / (rows[second] - rows[first])
    keep = (slopes >= SLOPES[0]) & (slopes <= SLOPES[1])
    if not keep.any():
        return None
    slopes, offsets = slopes[keep], (ends[first] - slopes * rows[first])[keep]
    beyond = ends - (slopes[:, None] * rows + offsets[:, None])
    score = (np.abs(beyond) <= NEAR).sum(axis=1) - OUTSIDE_COST * (beyond > NEAR).sum(axis=1)
    best = int(score.argmax())
    if score[best] < least_on_side * len(rows):
        return None
    return float(slopes[best]), float(offsets[best])


def _fan_between(blob: Mask, rows: Line, left: tuple[float, float], right: tuple[float, float]) -> Outline:
    """The fan between two sides, as deep as the blob."""
    apex_row = (left[1] - right[1]) / (right[0] - left[0])
    apex_column = left[0] * apex_row + left[1]
    y, x = np.nonzero(blob)
    radius = float(np.hypot(y - apex_row, x - apex_column).max()) + MARGIN
    height = blob.shape[0]
    has_tip = rows[0] - apex_row <= TIP_SHARE * (rows[-1] - rows[0])
    top = apex_row if has_tip else rows[0]
    drawn = np.arange(max(top, 0.0) - MARGIN, min(height, rows[-1] + MARGIN) + 1e-6, 0.5)
    bow = np.sqrt(np.clip(radius**2 - (drawn - apex_row) ** 2, 0, None))
    return Outline(
        drawn,
        np.maximum(left[0] * drawn + left[1] - MARGIN, apex_column - bow),
        np.minimum(right[0] * drawn + right[1] + MARGIN, apex_column + bow),
    )
