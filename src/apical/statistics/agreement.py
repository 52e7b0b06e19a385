"""How well measurements agree with a reference: two columns come in, bias, limits, errors and correlation go out.

Limits of agreement after Bland and Altman (1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Agreement", "agreement"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Figures of measured minus reference, in their unit; NaN where there are too few, or none can be said."""

    n: int
    bias: float
    sd: float
    """Of the differences, with n - 1."""
    low: float
    """Limit of agreement: bias - 1.96 sd."""
    high: float
    mean_absolute_error: float
    root_mean_squared_error: float
    correlation: float
    """Pearson's; NaN where a column does not vary."""


def agreement(measured: npt.ArrayLike, reference: npt.ArrayLike) -> Agreement:
    """Agreement of two columns (N,) of the same things; what is not known in one of them makes the figures NaN."""
    ours, theirs = np.asarray(measured, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if ours.ndim != 1 or ours.shape != theirs.shape:
        raise ValueError(f"columns of shapes {ours.shape} and {theirs.shape}")
    with np.errstate(all="ignore"):
        differences = ours - theirs
        bias, sd = _mean(differences), _sd(differences)
        errors = _mean(np.abs(differences)), float(np.sqrt(_mean(differences**2)))
        correlation = _correlation(ours, theirs)
    return Agreement(ours.size, bias, sd, bias - 1.96 * sd, bias + 1.96 * sd, *errors, correlation)


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else np.nan


def _sd(values: Array) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else np.nan


def _correlation(first: Array, second: Array) -> float:
    if first.size < 2 or not (np.ptp(first) > 0 and np.ptp(second) > 0):
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])
