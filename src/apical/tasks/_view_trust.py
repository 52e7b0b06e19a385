"""When an answer may be given: beliefs of rules that have not seen the patients come in; how sure to be goes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

__all__ = ["Trust", "trust_in"]

ROUNDING = 1e-6
"""Confidences closer than this are the same: batches of other sizes round otherwise."""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The least confidence of an answer, and what it does to the images that it was found on."""

    trusted: float
    """The share of answers that should be right."""
    threshold: float | None
    """The least confidence; null where none is enough, so that nothing is answered."""
    images: int
    """That were learnt from, each judged without its patient; 0 where there was one patient alone."""
    accuracy: float | None
    """Share of them that is right, if all are answered."""
    answered: float | None
    """Share of them whose confidence is enough."""
    accuracy_of_answered: float | None


def trust_in(probabilities: Tensor, classes: Tensor, trusted: float) -> Trust:
    """The lowest confidence above which the share of right answers is at least `trusted`.

    Rows of `probabilities` (M, K) that are 0 are of images that nobody could be asked about, and do not count.
    """
    best, found = probabilities.max(dim=1)
    is_judged = best > 0
    confidences = best[is_judged].double().numpy()
    right = (found == classes)[is_judged].double().numpy()
    if not len(right):
        return Trust(
            trusted=trusted,
            threshold=None,
            images=0,
            accuracy=None,
            answered=None,
            accuracy_of_answered=None,
        )
    threshold = _lowest(confidences, right, trusted)
    passing = right[confidences >= (np.inf if threshold is None else threshold)]
    return Trust(
        trusted=trusted,
        threshold=threshold,
        images=len(right),
        accuracy=float(right.mean()),
        answered=len(passing) / len(right),
        accuracy_of_answered=float(passing.mean()) if len(passing) else None,
    )


def _lowest(
    confidences: npt.NDArray[np.float64], right: npt.NDArray[np.float64], trusted: float
) -> float | None:
    order = np.argsort(-confidences, kind="stable")
    ranked = confidences[order]
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    is_last_of_its_kind = np.append(ranked[:-1] - ranked[1:] > ROUNDING, True)
    (enough,) = np.nonzero(is_last_of_its_kind & (shares >= trusted))
    return float(ranked[enough[-1]] - ROUNDING / 2) if len(enough) else None
