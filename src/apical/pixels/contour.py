"""Traced outlines: chords or points of an expert's contour come in, polygons and masks go out.

The rules are those of the public sets: an outline runs down one side of the chords and back up the other, its
corners are rounded to whole pixels, and what lies inside is filled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["crosses_itself", "polygon_from_chords", "rasterise"]

Points = Sequence[tuple[float, float]] | npt.NDArray[np.float64]
Pixels = npt.NDArray[np.int64]

SMALLEST_LOOP = 0.02
"""Share of the area below which a loop is the jitter of a hand, not a contour that crosses itself."""
FURTHEST_PIXEL = 1e6
"""Corners further out are moved here, so that they fit into an integer."""


def polygon_from_chords(
    chords: Sequence[tuple[float, float, float, float]],
) -> tuple[tuple[float, float], ...]:
    """Outline (x, y) of chords (x1, y1, x2, y2) that are listed from one end of a shape to the other."""
    there = [(x, y) for x, y, _, _ in chords]
    back = [(x, y) for _, _, x, y in reversed(chords)]
    return (*there, *back)


def rasterise(points: Points, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Mask (H, W) of the closed polygon `points` (N, 2), each (x, y) in pixels; what lies outside is cut."""
    from skimage.draw import polygon  # slow to import, and a scan does without

    fill: Callable[..., tuple[Pixels, Pixels]] = polygon
    corners = np.rint(np.clip(np.asarray(points, dtype=np.float64), -FURTHEST_PIXEL, FURTHEST_PIXEL))
    mask = np.zeros((height, width), dtype=np.bool_)
    if len(corners) >= 3:
        x, y = corners.astype(np.int64).T
        mask[fill(y, x, mask.shape)] = True
    return mask


def crosses_itself(points: Points) -> bool:
    """Whether the closed polygon `points` (N, 2) is tied into loops that both have an area worth the name."""
    corners = np.asarray(points, dtype=np.float64)
    whole = _signed_area(corners)
    for first, second in _crossings(corners):
        loop = np.vstack([_meeting_point(corners, first, second), corners[first + 1 : second + 1]])
        one = _signed_area(loop)
        other = whole - one
        if min(abs(one), abs(other)) > SMALLEST_LOOP * (abs(one) + abs(other)):
            return True
    return False


def _crossings(corners: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs of edges that cut each other, the earlier first; edge i runs from corner i to the next."""
    edges = np.roll(corners, -1, axis=0) - corners
    offsets = corners[None, :, :] - corners[:, None, :]
    side = edges[:, None, 0] * offsets[:, :, 1] - edges[:, None, 1] * offsets[:, :, 0]
    is_cut = side * np.roll(side, -1, axis=1) < 0  # [i, j]: edge j begins and ends on either side of line i
    first, second = np.nonzero(np.triu(is_cut & is_cut.T, k=1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _meeting_point(corners: npt.NDArray[np.float64], first: int, second: int) -> npt.NDArray[np.float64]:
    """Where two crossing edges meet, as (1, 2)."""
    ahead = np.roll(corners, -1, axis=0)
    along, across = ahead[first] - corners[first], ahead[second] - corners[second]
    gap = corners[second] - corners[first]
    share = (gap[0] * across[1] - gap[1] * across[0]) / (along[0] * across[1] - along[1] * across[0])
    point: npt.NDArray[np.float64] = (corners[first] + share * along)[None]
    return point


def _signed_area(corners: npt.NDArray[np.float64]) -> float:
    x, y = (corners - corners[0]).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
