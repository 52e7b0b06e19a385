"""Masks as run lengths: a mask (H, W) comes in, the lengths of its runs go out, and back.

Runs alternate between background and structure, row by row; the first is background and may be empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from apical.errors import ApicalError

__all__ = ["decode", "encode"]

Mask = npt.NDArray[np.bool_]


def encode(mask: Mask) -> list[int]:
    """Measure the runs of a mask (H, W)."""
    flat = mask.ravel()
    if flat.size == 0:
        return []
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs: list[int] = np.diff(changes, prepend=0, append=flat.size).tolist()
    return [0, *runs] if flat[0] else runs


def decode(runs: Sequence[int], height: int, width: int) -> Mask:
    """Give back the mask (H, W) that `encode` took."""
    lengths = np.asarray(runs, dtype=np.int64)
    if lengths.sum() != height * width or (lengths < 0).any():
        raise ApicalError(
            "The run lengths of a mask don't fill its image",
            seen=f"{int(lengths.sum())} pixels instead of {height} x {width}",
            remedy="The table is damaged: write or ingest the data again.",
        )
    values = np.arange(lengths.size) % 2 == 1
    return np.repeat(values, lengths).reshape(height, width)
