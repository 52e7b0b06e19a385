"""Intervals by resampling patients: figures of images come in, a mean or a ratio and its limits go out.

BCa: bias-corrected and accelerated (Efron, 1987). Images of one patient are alike, so whole patients are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from apical.statistics.clusters import Array, Clusters, cluster_sums, drawn_counts, rounds_of

__all__ = ["Estimate", "Kind", "balanced_interval", "bca_limits", "mean_interval", "ratio_interval"]

Kind = Literal["bca", "percentile"]

NORMAL = NormalDist()
SAME_TO_ROUNDING = 1e-12
TIED_TO_ROUNDING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A figure and the limits between which it lies with the confidence `level`; NaN where nothing can be said."""

    value: float
    low: float
    high: float
    level: float
    num_clusters: int


def mean_interval(
    values: npt.ArrayLike,
    clusters: Clusters,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    kind: Kind = "bca",
) -> Estimate:
    """The mean over images (N,), with limits from resampling their clusters (N,), as a rule patients."""
    ones = np.ones(np.shape(values))
    return ratio_interval(values, ones, clusters, resamples=resamples, seed=seed, level=level, kind=kind)


def ratio_interval(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    clusters: Clusters,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    kind: Kind = "bca",
) -> Estimate:
    """The ratio of two sums over images (N,), with limits from resampling clusters; NaN where an image's figure is."""
    sums = cluster_sums(np.column_stack([numerators, denominators]), clusters)
    with np.errstate(all="ignore"):
        value = float(np.divide(*sums.sum(axis=0)))
        excess = sums[:, 0] - value * sums[:, 1]
        low, high = _limits(sums, excess, resamples, seed, level, kind)
    return Estimate(value, value + low, value + high, level, len(sums))


def balanced_interval(
    values: npt.ArrayLike,
    classes: npt.ArrayLike,
    clusters: Clusters,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """The mean over classes of each class's mean over images (N,), with BCa limits from resampling clusters.

    A class that a resample lacks has no part in it.
    """
    known = np.asarray(values, dtype=np.float64)
    if not known.size:
        return Estimate(np.nan, np.nan, np.nan, level, 0)
    members = np.asarray(classes)[:, None] == np.unique(classes)
    sums = cluster_sums(np.column_stack([members * known[:, None], members]), clusters)
    value = float(_balanced(sums.sum(axis=0, keepdims=True))[0])
    if len(sums) < 2 or not np.isfinite(value):
        return Estimate(value, np.nan, np.nan, level, len(sums))
    offsets = _balanced(_resampled_sums(sums, resamples, seed)) - value
    without = _balanced(sums.sum(axis=0) - sums) - value
    low, high = bca_limits(offsets, without, level)
    return Estimate(value, value + low, value + high, level, len(sums))


def bca_limits(offsets: Array, without: Array, level: float) -> tuple[float, float]:
    """Limits, counted from a figure, as are resamples of it (R,) and figures (M,) that leave out one cluster each."""
    shares = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(offsets, _corrected(shares, _bias(offsets), _skewness(without))).tolist()
    return low, high


def _balanced(sums: Array) -> Array:
    """Means over classes (R,) of sums (R, 2K): of the values of each class, then of its members."""
    totals, members = np.split(sums, 2, axis=1)
    shares = np.divide(totals, members, out=np.zeros_like(totals), where=members > 0)
    found: Array = shares.sum(axis=1) / (members > 0).sum(axis=1)
    return found


def _resampled_sums(sums: Array, resamples: int, seed: int) -> Array:
    """Sums (R, K) of clusters (M, K) drawn with replacement, as many as there are."""
    return np.concatenate([times @ sums for times in drawn_counts(len(sums), resamples, seed)])


def _limits(
    sums: Array, excess: Array, resamples: int, seed: int, level: float, kind: Kind
) -> tuple[float, float]:
    """Lower and upper limit, counted from the ratio itself."""
    if len(sums) < 2 or not np.isfinite(excess).all():
        return np.nan, np.nan
    if np.abs(excess).max() <= SAME_TO_ROUNDING * np.abs(sums[:, 0]).max():
        return 0.0, 0.0
    offsets = _resampled(excess, sums[:, 1], resamples, seed)
    if not offsets.size:
        return np.nan, np.nan
    if kind == "bca":
        return bca_limits(offsets, _without_one(excess, sums[:, 1]), level)
    low, high = np.quantile(offsets, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high


def _resampled(excess: Array, weights: Array, resamples: int, seed: int) -> Array:
    """Ratios (R,) of clusters drawn with replacement, as many as there are; draws without weight are left out."""
    generator = np.random.default_rng(seed)
    found = []
    for rows in rounds_of(resamples, len(excess)):
        drawn = generator.integers(len(excess), size=(rows, len(excess)))
        found.append(excess[drawn].sum(axis=1) / weights[drawn].sum(axis=1))
    offsets: Array = np.concatenate(found)
    return offsets[np.isfinite(offsets)]


def _bias(offsets: Array) -> float:
    """The normal quantile of the share of resamples below the ratio, ties counted half; infinite if none or all are."""
    tied = np.abs(offsets) <= TIED_TO_ROUNDING * offsets.std()
    share = float(np.mean((offsets < 0) & ~tied) + np.mean(tied) / 2)
    return NORMAL.inv_cdf(share) if 0 < share < 1 else np.inf


def _without_one(excess: Array, weights: Array) -> Array:
    """Ratios (M,) that leave out one cluster each, counted from the ratio itself."""
    found: Array = -excess / (weights.sum() - weights)
    return found


def _skewness(without: Array) -> float:
    """A sixth of the skewness of figures (M,) that leave out one cluster each; 0 where that changes nothing."""
    lean = without[np.isfinite(without)]
    if not lean.size:
        return 0.0
    lean = lean.mean() - lean
    spread = float((lean**2).sum() ** 1.5)
    return float((lean**3).sum()) / (6 * spread) if spread > 0 else 0.0


def _corrected(shares: Array, bias: float, acceleration: float) -> Array:
    """Which shares of the resamples to take in place of `shares`; the same where the bias is infinite."""
    if not np.isfinite(bias):
        return shares
    return np.array([_corrected_one(share, bias, acceleration) for share in shares.tolist()])


def _corrected_one(share: float, bias: float, acceleration: float) -> float:
    shifted = bias + NORMAL.inv_cdf(share)
    left = 1 - acceleration * shifted
    if left <= 0:
        return float(shifted > 0)
    return NORMAL.cdf(bias + shifted / left)
