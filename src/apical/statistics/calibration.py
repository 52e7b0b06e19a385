"""Whether beliefs may be believed: beliefs or logits and truths come in; errors, bins and a temperature go out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import softmax

from apical.statistics.binary import Truths, beliefs
from apical.statistics.clusters import Array, Indices

__all__ = ["Bin", "brier", "ece", "fitted_temperature", "log_loss", "reliability", "wilson"]

HOTTEST = 20.0
"""The highest temperature; the lowest is one over it."""


@dataclass(frozen=True)
class Bin:
    """Studies of about one belief: how many, what they were believed, and how many turned out positive."""

    count: int
    belief: float
    """Their mean."""
    share: float
    """Of the positives."""
    low: float
    """Wilson's limits of the share, as if each study stood alone."""
    high: float


def brier(scores: npt.ArrayLike, truths: npt.ArrayLike) -> float:
    """The mean squared error of beliefs (N,); NaN of none."""
    known, is_positive = beliefs(scores, truths)
    return float(np.mean((known - is_positive) ** 2)) if known.size else np.nan


def ece(scores: npt.ArrayLike, truths: npt.ArrayLike, bins: int = 10, *, equal_width: bool = False) -> float:
    """The expected calibration error: how far bins' beliefs are from their shares, by count; NaN of no studies."""
    found = reliability(scores, truths, bins, equal_width=equal_width)
    total = sum(each.count for each in found)
    return sum(each.count * abs(each.belief - each.share) for each in found) / total if total else np.nan


def reliability(
    scores: npt.ArrayLike,
    truths: npt.ArrayLike,
    bins: int = 10,
    *,
    equal_width: bool = False,
    level: float = 0.95,
) -> list[Bin]:
    """Studies (N,) in bins of rising belief, as many in each or all as wide; equal beliefs are not parted."""
    known, is_positive = beliefs(scores, truths)
    places = _places(known, bins, equal_width)
    members = [places == place for place in np.unique(places)]
    return [_bin(known[inside], is_positive[inside], level) for inside in members]


def wilson(hits: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Limits of a share of `count` > 0 (Wilson, 1927)."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (hits + z**2 / 2) / (count + z**2)
    reach = z / (count + z**2) * math.sqrt(hits * (count - hits) / count + z**2 / 4)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def log_loss(probabilities: npt.ArrayLike, truths: npt.ArrayLike) -> float:
    """The mean of -log of what was believed of the truth: beliefs (N,) and 0 or 1, or (N, K) and classes; NaN of none.

    A probability of 0 counts as the least that a number can tell from 1.
    """
    known = np.asarray(probabilities, dtype=np.float64)
    rows = np.column_stack([1 - known, known]) if known.ndim == 1 else known
    believed = _of_truth(rows, truths)
    if not believed.size:
        return np.nan
    return float(-np.log(np.maximum(believed, np.finfo(np.float64).eps)).mean())


def fitted_temperature(logits: npt.ArrayLike, truths: npt.ArrayLike) -> float:
    """By what to divide logits for the least log loss: (N,) with truths 0 or 1, or (N, K) with classes.

    It lies between 1/20 and 20: truths that the logits separate give the lowest. 1 where the logits say nothing.
    """
    known = np.asarray(logits, dtype=np.float64)
    rows = np.column_stack([np.zeros(known.size), known]) if known.ndim == 1 else known
    leads = rows - _of_truth(rows, truths)[:, None]
    if not np.ptp(leads, axis=1).max(initial=0.0) > 0:
        return 1.0

    def slope(log_temperature: float) -> float:
        """Of the log loss over the inverse temperature; it falls as the temperature rises."""
        weights = softmax(leads * math.exp(-log_temperature), axis=1)
        return float((weights * leads).sum(axis=1).mean())

    lowest, highest = -math.log(HOTTEST), math.log(HOTTEST)
    if slope(lowest) <= 0:
        return 1 / HOTTEST
    if slope(highest) >= 0:
        return HOTTEST
    return math.exp(brentq(slope, lowest, highest))


def _of_truth(rows: Array, truths: npt.ArrayLike) -> Array:
    """What rows (N, K) have at the class of the truth (N,); refused are other classes, and what is not finite."""
    classes = np.asarray(truths)
    if rows.ndim != 2 or classes.shape != rows.shape[:1]:
        raise ValueError(f"rows of shape {rows.shape}, but truths of shape {classes.shape}")
    if not (np.isfinite(rows).all() and np.isin(classes, np.arange(rows.shape[1])).all()):
        raise ValueError("figures must be finite, and truths classes")
    found: Array = rows[np.arange(len(rows)), classes.astype(np.intp)]
    return found


def _places(known: Array, bins: int, equal_width: bool) -> Indices:
    """The number (N,) of each belief's bin; one on an edge belongs to the bin below."""
    steps = np.linspace(0, 1, bins + 1)[1:-1]
    edges = steps if equal_width or not known.size else np.quantile(known, steps)
    return np.searchsorted(edges, known)


def _bin(known: Array, is_positive: Truths, level: float) -> Bin:
    count, hits = known.size, int(is_positive.sum())
    return Bin(count, float(known.mean()), hits / count, *wilson(hits, count, level))
