"""Some of many: how many there are comes in, the places of those that are looked at go out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["evenly"]


def evenly(total: int, most: int) -> npt.NDArray[np.int64]:
    """All places from 0 to `total`, or `most` of them, the first and the last among them and no two alike."""
    return np.linspace(0, max(total - 1, 0), min(most, total)).round().astype(np.int64)
