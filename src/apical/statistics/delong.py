"""AUROCs of two models on the same studies: scores and truths come in; the difference, its limits and p go out.

By formula after DeLong et al. (1988), from midranks as in Sun and Xu (2014), where each study stands alone; by
resampling and swapping whole patients where studies of one patient are alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from apical.statistics.binary import columns
from apical.statistics.bootstrap import Estimate
from apical.statistics.clusters import Array, Clusters, cluster_codes, rounds_of
from apical.statistics.paired import Paired
from apical.statistics.ranking import Ranking, Weights

__all__ = ["Difference", "delong", "delong_interval", "paired_auroc"]

NORMAL = NormalDist()
ROUNDING = 1e-9


@dataclass(frozen=True)
class Difference:
    """The AUROC of the first minus that of the second, its error, limits and p; NaN where nothing can be said."""

    value: float
    standard_error: float
    low: float
    high: float
    level: float
    p: float


def delong(
    first: npt.ArrayLike, second: npt.ArrayLike, truths: npt.ArrayLike, *, level: float = 0.95
) -> Difference:
    """Compare scores (N,) of two models; p is two-sided, and each study stands for a patient of its own."""
    ours, theirs = _placements(first, truths), _placements(second, truths)
    value = ours.auroc - theirs.auroc
    error = _error(ours.positives - theirs.positives, ours.negatives - theirs.negatives)
    reach = NORMAL.inv_cdf((1 + level) / 2) * error
    return Difference(value, error, value - reach, value + reach, level, _two_sided(value, error))


def delong_interval(scores: npt.ArrayLike, truths: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """The AUROC with DeLong's limits, cut at 0 and 1; each study (N,) stands for a patient of its own."""
    found = _placements(scores, truths)
    reach = NORMAL.inv_cdf((1 + level) / 2) * _error(found.positives, found.negatives)
    low, high = np.clip([found.auroc - reach, found.auroc + reach], 0, 1).tolist()
    return Estimate(found.auroc, low, high, level, found.positives.size + found.negatives.size)


def paired_auroc(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    truths: npt.ArrayLike,
    clusters: Clusters,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Paired:
    """Compare scores (N,) of two models by AUROC; BCa limits from resampling clusters (N,).

    p is two-sided, from exchanging the models' ranks in whole clusters.
    """
    names = list(clusters)
    ours, theirs = Ranking.of(first, truths), Ranking.of(second, truths)
    found = ours.interval(
        lambda weights: ours.auroc(weights) - theirs.auroc(weights),
        names,
        resamples=resamples,
        seed=seed,
        level=level,
    )
    p = _swap_test(first, second, truths, names, found.value, resamples, seed)
    return Paired(found.value, found.low, found.high, level, p, ours.size, found.num_clusters)


@dataclass(frozen=True)
class _Placements:
    """How each study stands to those of the other class; their means are the AUROC."""

    positives: Array
    """Share of the negatives that each positive (P,) scores above, ties counted half."""
    negatives: Array
    """Share of the positives that each negative (Q,) scores below."""

    @property
    def auroc(self) -> float:
        return float(self.positives.mean()) if self.positives.size and self.negatives.size else np.nan


def _placements(scores: npt.ArrayLike, truths: npt.ArrayLike) -> _Placements:
    known, truth = columns(scores, truths)
    among_all, among_own = _midranks(known), np.empty(known.size)
    for own in (truth, ~truth):
        among_own[own] = _midranks(known[own])
    below = among_all - among_own
    num_positives, num_negatives = int(truth.sum()), int((~truth).sum())
    return _Placements(below[truth] / max(1, num_negatives), 1 - below[~truth] / max(1, num_positives))


def _midranks(values: Array) -> Array:
    """Ranks (N,) from 1; values that are equal share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks


def _error(positives: Array, negatives: Array) -> float:
    """The standard error of the mean over pairs, from placements or differences of them; NaN if a class has one."""
    if min(positives.size, negatives.size) < 2:
        return np.nan
    return float(np.sqrt(positives.var(ddof=1) / positives.size + negatives.var(ddof=1) / negatives.size))


def _two_sided(value: float, error: float) -> float:
    if np.isnan(error):
        return np.nan
    if error <= ROUNDING:
        return float(abs(value) <= ROUNDING)
    return 2 * NORMAL.cdf(-abs(value) / error)


def _swap_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    truths: npt.ArrayLike,
    clusters: Clusters,
    value: float,
    resamples: int,
    seed: int,
) -> float:
    """Share of exchanges whose difference is as far from 0 as `value`; all exchanges where they are few."""
    if np.isnan(value):
        return np.nan
    scores, truth = columns(first, truths)
    codes, count = cluster_codes(clusters, scores.size)
    ranks = np.append(_midranks(scores), _midranks(np.asarray(second, dtype=np.float64)))
    both = Ranking.of(ranks, np.tile(truth, 2))
    is_exact = 2**count <= resamples
    rounds = _all_swaps(count, both.size) if is_exact else _random_swaps(count, both.size, resamples, seed)
    extremes = sum(
        int(np.count_nonzero(np.abs(_swapped(both, swaps[:, codes])) >= abs(value) - ROUNDING))
        for swaps in rounds
    )
    return extremes / 2**count if is_exact else (1 + extremes) / (1 + resamples)


def _swapped(both: Ranking, swaps: Weights) -> Array:
    """Differences (R,) of AUROCs if studies are exchanged (R, N); `both` ranks the two models' studies together."""
    first = np.hstack([1 - swaps, swaps])
    return both.auroc(first) - both.auroc(1 - first)


def _all_swaps(count: int, width: int) -> Iterator[Weights]:
    """Every way to exchange some of `count` clusters, in rounds (R, M)."""
    done = 0
    for rows in rounds_of(2**count, width):
        yield (np.arange(done, done + rows)[:, None] >> np.arange(count)) & 1
        done += rows


def _random_swaps(count: int, width: int, resamples: int, seed: int) -> Iterator[Weights]:
    """Ways to exchange some of `count` clusters, in rounds (R, M)."""
    generator = np.random.default_rng(seed)
    for rows in rounds_of(resamples, width):
        yield generator.integers(2, size=(rows, count))
