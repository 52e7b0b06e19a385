"""Answers to a yes-or-no question: scores and truths come in; checked columns and safe shares go out."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from apical.statistics.clusters import Array

__all__ = ["Number", "Truths", "beliefs", "columns", "share"]

Truths = npt.NDArray[np.bool_]
Number = TypeVar("Number", float, Array)


def columns(scores: npt.ArrayLike, truths: npt.ArrayLike) -> tuple[Array, Truths]:
    """Scores (N,) as numbers and truths (N,) as booleans; refused are two lengths, NaN, and truths but 0 and 1."""
    known, classes = np.asarray(scores, dtype=np.float64), np.asarray(truths)
    if known.ndim != 1 or known.shape != classes.shape:
        raise ValueError(f"scores of shape {known.shape}, but truths of shape {classes.shape}")
    if np.isnan(known).any():
        raise ValueError(f"{np.isnan(known).sum()} scores are no numbers")
    if not np.isin(classes, (0, 1)).all():
        raise ValueError("truths must be 0 or 1")
    return known, classes.astype(np.bool_)


def beliefs(scores: npt.ArrayLike, truths: npt.ArrayLike) -> tuple[Array, Truths]:
    """As `columns`, of scores that are probabilities; refused are others."""
    known, is_positive = columns(scores, truths)
    if known.size and not 0 <= known.min() <= known.max() <= 1:
        raise ValueError("scores must lie between 0 and 1")
    return known, is_positive


def share(parts: Number, wholes: Number) -> Number:
    """Parts of wholes, numbers or arrays; NaN where the whole is 0."""
    with np.errstate(invalid="ignore"):
        found: Number = np.true_divide(parts, wholes)
    return found
