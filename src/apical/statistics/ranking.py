"""How well scores rank: scores and truths of studies come in; AUROC, AUPRC and their limits go out.

AUPRC is the average precision: the precision at each positive's score, averaged over the positives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from apical.statistics.binary import columns, share
from apical.statistics.bootstrap import Estimate
from apical.statistics.clusters import Array, Clusters, Indices, cluster_codes
from apical.statistics.resampling import counted_intervals

__all__ = ["Ranking", "auprc", "auprc_interval", "auroc", "auroc_interval"]

Weights = npt.NDArray[Any]
"""How often studies count (R, N), in R draws at once."""


def auroc(scores: npt.ArrayLike, truths: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The chance that a positive scores above a negative, ties counted half; NaN if a class is lacking.

    `weights` (N,) say how often each study counts.
    """
    return _once(Ranking.of(scores, truths).auroc, scores, weights)


def auprc(scores: npt.ArrayLike, truths: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The average precision; NaN if a class is lacking. `weights` (N,) say how often each study counts."""
    return _once(Ranking.of(scores, truths).auprc, scores, weights)


def auroc_interval(
    scores: npt.ArrayLike,
    truths: npt.ArrayLike,
    clusters: Clusters,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """AUROC over studies (N,), with BCa limits from resampling clusters (N,); draws that lack a class are left out."""
    ranking = Ranking.of(scores, truths)
    return ranking.interval(ranking.auroc, clusters, resamples=resamples, seed=seed, level=level)


def auprc_interval(
    scores: npt.ArrayLike,
    truths: npt.ArrayLike,
    clusters: Clusters,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """AUPRC over studies (N,), with BCa limits from resampling clusters (N,); draws that lack a class are left out."""
    ranking = Ranking.of(scores, truths)
    return ranking.interval(ranking.auprc, clusters, resamples=resamples, seed=seed, level=level)


@dataclass(frozen=True)
class Ranking:
    """Studies in the order of their scores: all that is needed of them to rank with any weights."""

    size: int
    positives: Indices
    """Studies (P,) that are positive, the lowest score first."""
    negatives: Indices
    lower: Indices
    """How many negatives score lower than each positive (P,)."""
    not_higher: Indices
    lower_positives: Indices
    """How many other positives score lower than each (P,)."""

    @classmethod
    def of(cls, scores: npt.ArrayLike, truths: npt.ArrayLike) -> Ranking:
        """The ranking of studies (N,)."""
        known, is_positive = columns(scores, truths)
        order = np.argsort(known, kind="stable")
        positives, negatives = order[is_positive[order]], order[~is_positive[order]]
        ours, theirs = known[positives], known[negatives]
        lower, not_higher = np.searchsorted(theirs, ours), np.searchsorted(theirs, ours, side="right")
        return cls(known.size, positives, negatives, lower, not_higher, np.searchsorted(ours, ours))

    def auroc(self, weights: Weights) -> Array:
        """AUROCs (R,), a row of weights (R, N) each."""
        ours, below = weights[:, self.positives], _running(weights[:, self.negatives])
        beaten = below[:, self.lower] + below[:, self.not_higher]
        return share(np.einsum("rp,rp->r", ours, beaten), 2 * ours.sum(axis=1) * below[:, -1])

    def auprc(self, weights: Weights) -> Array:
        """Average precisions (R,), a row of weights (R, N) each."""
        ours, below = weights[:, self.positives], _running(weights[:, self.negatives])
        mine = _running(ours)
        hits = mine[:, -1:] - mine[:, self.lower_positives]
        called = hits + below[:, -1:] - below[:, self.lower]
        precision = np.divide(hits, called, out=np.zeros(hits.shape), where=called > 0)
        has_both = (mine[:, -1] > 0) & (below[:, -1] > 0)
        return share(np.einsum("rp,rp->r", ours, precision), np.where(has_both, mine[:, -1], np.nan))

    def interval(
        self,
        figure: Callable[[Weights], Array],
        clusters: Clusters,
        *,
        resamples: int,
        seed: int,
        level: float,
    ) -> Estimate:
        """A figure (R,) of weights (R, N), with BCa limits from resampling clusters (N,)."""
        codes, count = cluster_codes(clusters, self.size)
        (found,) = counted_intervals(
            lambda counts: figure(counts[:, codes])[:, None],
            count,
            width=self.size,
            resamples=resamples,
            seed=seed,
            level=level,
        )
        return found


def _running(weights: Weights) -> Weights:
    """Sums (R, Q + 1) of the first none, one, two … of weights (R, Q)."""
    sums: Weights = np.zeros((len(weights), weights.shape[1] + 1), dtype=weights.dtype)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _once(figure: Callable[[Weights], Array], scores: npt.ArrayLike, weights: npt.ArrayLike | None) -> float:
    """The figure of one row of weights, of ones if there are none."""
    row = np.ones(np.shape(scores)) if weights is None else np.asarray(weights)
    if row.shape != np.shape(scores):
        raise ValueError(f"scores of shape {np.shape(scores)}, but weights of shape {row.shape}")
    return float(figure(row[None])[0])
