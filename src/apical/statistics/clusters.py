"""Clusters: figures of images come in, sums by patient and rounds of drawing go out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Clusters", "cluster_sums", "rounds_of"]

Array = npt.NDArray[np.float64]
Clusters = Iterable[Hashable]

MOST_NUMBERS = 1 << 17
"""Drawn at once: they fit in the cache, and memory stays bounded whatever is asked for."""


def cluster_sums(values: npt.ArrayLike, clusters: Clusters) -> Array:
    """Sums (M, K) by cluster of values (N, K), or (N,) for one column, clusters as they first appear."""
    columns = np.atleast_2d(np.asarray(values, dtype=np.float64).T)
    first_seen: dict[Hashable, int] = {}
    codes = np.array([first_seen.setdefault(name, len(first_seen)) for name in clusters], dtype=np.intp)
    if codes.size != columns.shape[1]:
        raise ValueError(f"{columns.shape[1]} values, but the clusters of {codes.size}")
    sums = np.column_stack([np.bincount(codes, column, len(first_seen)) for column in columns])
    return sums.astype(np.float64)


def rounds_of(count: int, width: int) -> Iterator[int]:
    """`count` rows of `width` numbers, divided into as many rows as are drawn at once."""
    most = max(1, MOST_NUMBERS // max(1, width))
    for done in range(0, count, most):
        yield min(most, count - done)
