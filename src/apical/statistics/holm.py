"""Several tests at once: p values come in, Holm's adjusted ones go out (Holm, 1979)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["holm"]


def holm(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Adjusted p values (N,), step-down; NaN stays NaN and does not count as a test."""
    adjusted = np.array(p_values, dtype=np.float64)
    (known,) = np.nonzero(~np.isnan(adjusted))
    order = known[np.argsort(adjusted[known], kind="stable")]
    stepped = adjusted[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return adjusted
