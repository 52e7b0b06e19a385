"""Two models on the same images: their figures come in, the mean difference, its limits and a p value go out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apical.statistics.bootstrap import mean_interval
from apical.statistics.clusters import Array, Clusters, cluster_sums, rounds_of

__all__ = ["Paired", "compare"]

TIED_TO_ROUNDING = 1e-9


@dataclass(frozen=True)
class Paired:
    """The mean of first minus second, its limits by BCa, and p of there being no difference; NaN if unknown."""

    value: float
    low: float
    high: float
    level: float
    p: float
    num_images: int
    num_clusters: int


def compare(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    clusters: Clusters,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Paired:
    """Compare figures (N,) of the same images; p is two-sided, from flipping the signs of whole clusters (N,)."""
    names = list(clusters)
    with np.errstate(invalid="ignore"):
        differences = np.subtract(first, second, dtype=np.float64)
    mean = mean_interval(differences, names, resamples=resamples, seed=seed, level=level)
    p = _flip_test(cluster_sums(differences, names)[:, 0], resamples, seed)
    return Paired(mean.value, mean.low, mean.high, level, p, differences.size, mean.num_clusters)


def _flip_test(sums: Array, resamples: int, seed: int) -> float:
    """Share of sign flips of the clusters' sums (M,) whose total is as far from 0; all flips where they are few."""
    if not (sums.size and np.isfinite(sums).all()):
        return np.nan
    limit = abs(sums.sum()) - TIED_TO_ROUNDING * np.abs(sums).sum()
    if 2**sums.size <= resamples:
        return float(np.mean(np.abs(_all_totals(sums)) >= limit))
    return (1 + _random_extremes(sums, limit, resamples, seed)) / (1 + resamples)


def _all_totals(sums: Array) -> Array:
    """Totals (2^M,) for each way to flip signs."""
    totals = np.zeros(1)
    for each in sums:
        totals = np.concatenate([totals + each, totals - each])
    return totals


def _random_extremes(sums: Array, limit: float, resamples: int, seed: int) -> int:
    """How many of the random flips give a total as far from 0 as `limit`."""
    generator = np.random.default_rng(seed)
    count = 0
    for rows in rounds_of(resamples, sums.size):
        kept = generator.integers(2, size=(rows, sums.size), dtype=np.int8).astype(np.float64)
        count += int(np.count_nonzero(np.abs(2 * (kept @ sums) - sums.sum()) >= limit))
    return count
