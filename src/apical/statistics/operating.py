"""Answers at a threshold: scores and truths come in; a threshold to keep, counts, their figures and limits go out.

A study is called positive where its score is at least the threshold. Thresholds are chosen on validation data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic

import numpy as np
import numpy.typing as npt

from apical.statistics.binary import Number, beliefs, columns, share
from apical.statistics.bootstrap import Estimate
from apical.statistics.clusters import Array, Clusters, Indices, cluster_sums
from apical.statistics.resampling import counted_intervals

__all__ = [
    "FIGURES",
    "Confusion",
    "Threshold",
    "at_specificity",
    "best_f1",
    "confusion",
    "operating_intervals",
    "sweep",
    "youden",
]

FIGURES = ("sensitivity", "specificity", "balanced_accuracy", "precision", "f1", "mcc", "accuracy")

ALL, NONE = 0.0, math.nextafter(1.0, 2.0)
"""Thresholds that every probability reaches, and none."""


@dataclass(frozen=True)
class Confusion(Generic[Number]):
    """Studies by answer and truth, as numbers or as arrays of one shape; a figure is NaN where it has no studies."""

    tp: Number
    fp: Number
    tn: Number
    fn: Number

    @property
    def sensitivity(self) -> Number:
        """Share of the positives that are found."""
        return share(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> Number:
        """Share of the negatives that are left alone."""
        return share(self.tn, self.tn + self.fp)

    @property
    def balanced_accuracy(self) -> Number:
        """The mean of sensitivity and specificity."""
        return (self.sensitivity + self.specificity) / 2

    @property
    def precision(self) -> Number:
        """Share of the studies called positive that are."""
        return share(self.tp, self.tp + self.fp)

    @property
    def f1(self) -> Number:
        """The harmonic mean of precision and sensitivity."""
        return share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def mcc(self) -> Number:
        """Matthews' correlation of answers and truths; NaN where one of them does not vary."""
        answers = (self.tp + self.fp) * (self.tn + self.fn)
        truths = (self.tp + self.fn) * (self.tn + self.fp)
        spread: Number = np.sqrt(answers) * np.sqrt(truths)
        return share(self.tp * self.tn - self.fp * self.fn, spread)

    @property
    def accuracy(self) -> Number:
        """Share of the answers that are right."""
        return share(self.tp + self.tn, self.tp + self.fp + self.tn + self.fn)


@dataclass(frozen=True)
class Threshold:
    """From which score on a study is positive, by which rule, and what that gave where it was chosen."""

    value: float
    """NaN where a class was lacking."""
    rule: str
    reached: Confusion[float]


def confusion(scores: npt.ArrayLike, truths: npt.ArrayLike, threshold: float) -> Confusion[float]:
    """What becomes of studies (N,) at a threshold."""
    return Confusion(*_kinds(scores, truths, threshold).sum(axis=0).tolist())


def sweep(scores: npt.ArrayLike, truths: npt.ArrayLike) -> tuple[Array, Confusion[Array]]:
    """All thresholds (T,) that differ on studies (N,), rising from all positive to none, and their confusion (T,).

    They lie midway between neighbouring scores, the first and the last beyond all probabilities.
    """
    known, is_positive = beliefs(scores, truths)
    distinct, places = np.unique(known, return_inverse=True)
    fn, tn = (_running(places[truth], distinct.size) for truth in (is_positive, ~is_positive))
    below, above = np.append(-np.inf, distinct), np.append(distinct, np.inf)
    with np.errstate(invalid="ignore"):  # of no scores
        middles = np.maximum((below + above) / 2, np.nextafter(below, above))
    return np.clip(middles, ALL, NONE), Confusion(fn[-1] - fn, tn[-1] - tn, tn, fn)


def best_f1(scores: npt.ArrayLike, truths: npt.ArrayLike) -> Threshold:
    """The lowest of the thresholds with the highest F1."""
    thresholds, swept = sweep(scores, truths)
    return _chosen("best F1", thresholds, swept, swept.f1)


def youden(scores: npt.ArrayLike, truths: npt.ArrayLike) -> Threshold:
    """The lowest of the thresholds with the highest sum of sensitivity and specificity (Youden, 1950)."""
    thresholds, swept = sweep(scores, truths)
    positives, negatives = swept.tp + swept.fn, swept.tn + swept.fp
    return _chosen("Youden's index", thresholds, swept, swept.tp * negatives + swept.tn * positives)


def at_specificity(scores: npt.ArrayLike, truths: npt.ArrayLike, wanted: float) -> Threshold:
    """The lowest threshold with at least the `wanted` specificity."""
    if not 0 <= wanted <= 1:
        raise ValueError(f"a specificity of {wanted}")
    thresholds, swept = sweep(scores, truths)
    return _chosen(f"specificity of at least {wanted:g}", thresholds, swept, swept.specificity >= wanted)


def operating_intervals(
    scores: npt.ArrayLike,
    truths: npt.ArrayLike,
    clusters: Clusters,
    threshold: float,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Each of `FIGURES` at a fixed threshold, with BCa limits from resampling clusters (N,)."""
    table = cluster_sums(_kinds(scores, truths, threshold), clusters)

    def figures(counts: Indices) -> Array:
        drawn = Confusion(*(counts @ table).T)
        return np.column_stack([getattr(drawn, name) for name in FIGURES])

    found = counted_intervals(
        figures, len(table), width=len(table), resamples=resamples, seed=seed, level=level
    )
    return dict(zip(FIGURES, found, strict=True))


def _kinds(scores: npt.ArrayLike, truths: npt.ArrayLike, threshold: float) -> Array:
    """Which study (N, 4) is a true or false positive, a true or false negative."""
    known, truth = columns(scores, truths)
    called = known >= threshold
    return np.column_stack([called & truth, called & ~truth, ~called & ~truth, ~called & truth]).astype(
        np.float64
    )


def _running(places: Indices, count: int) -> Array:
    """How many (T + 1,) lie in the first none, one, two … of `count` places."""
    return np.append(0, np.cumsum(np.bincount(places, minlength=count))).astype(np.float64)


def _chosen(
    rule: str, thresholds: Array, swept: Confusion[Array], merits: npt.NDArray[np.float64 | np.bool_]
) -> Threshold:
    """The first threshold of the highest merit."""
    has_both = np.isfinite(swept.balanced_accuracy[0])
    best = int(np.argmax(merits)) if has_both else -1
    counts = (swept.tp, swept.fp, swept.tn, swept.fn)
    reached = Confusion(*(float(column[best]) for column in counts))
    return Threshold(float(thresholds[best]) if has_both else np.nan, rule, reached)
