"""Intervals of any figure: how it follows from how often each patient counts comes in; its limits go out.

BCa, as in `bootstrap.py`, for figures that are no mean and no ratio of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from apical.statistics.bootstrap import Estimate, bca_limits
from apical.statistics.clusters import Array, Indices, counts_without_one, drawn_counts

__all__ = ["Figures", "counted_intervals"]

Figures = Callable[[Indices], Array]
"""From how often each cluster counts (R, M) to figures (R, F); NaN where there is none."""


def counted_intervals(
    figures: Figures, count: int, *, width: int, resamples: int, seed: int, level: float
) -> list[Estimate]:
    """F figures of `count` clusters with BCa limits; resamples without a figure are left out.

    `width` is how many numbers `figures` handles for each row.
    """
    (values,) = figures(np.ones((1, count), dtype=np.intp))
    if count < 2:
        return [Estimate(value, np.nan, np.nan, level, count) for value in values.tolist()]
    drawn = _all_rounds(figures, drawn_counts(count, resamples, seed, width))
    without = _all_rounds(figures, counts_without_one(count, width))
    columns = zip(values.tolist(), drawn.T, without.T, strict=True)
    return [_estimate(value, resampled, lacking, level) for value, resampled, lacking in columns]


def _all_rounds(figures: Figures, rounds: Iterable[Indices]) -> Array:
    return np.concatenate([figures(counts) for counts in rounds])


def _estimate(value: float, drawn: Array, without: Array, level: float) -> Estimate:
    """A figure with limits from those of resamples (R,) and of all clusters but one (M,)."""
    offsets = drawn[np.isfinite(drawn)] - value
    if not (offsets.size and np.isfinite(value)):
        return Estimate(value, np.nan, np.nan, level, len(without))
    low, high = bca_limits(offsets, without - value, level)
    return Estimate(value, value + low, value + high, level, len(without))
