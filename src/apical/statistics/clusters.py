"""Clusters: figures of images come in, sums by patient and rounds of drawing go out.

A round is how often each cluster counts, in several draws at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

__all__ = [
    "Array",
    "Clusters",
    "Indices",
    "cluster_codes",
    "cluster_sums",
    "counts_without_one",
    "drawn_counts",
    "rounds_of",
]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Clusters = Iterable[Hashable]

MOST_NUMBERS = 1 << 17
"""Drawn at once: they fit in the cache, and memory stays bounded whatever is asked for."""


def cluster_sums(values: npt.ArrayLike, clusters: Clusters) -> Array:
    """Sums (M, K) by cluster of values (N, K), or (N,) for one column, clusters as they first appear."""
    columns = np.atleast_2d(np.asarray(values, dtype=np.float64).T)
    codes, count = cluster_codes(clusters, columns.shape[1])
    sums = np.column_stack([np.bincount(codes, column, count) for column in columns])
    return sums.astype(np.float64)


def cluster_codes(clusters: Clusters, size: int) -> tuple[Indices, int]:
    """The number (N,) of each value's cluster, as they first appear, and how many there are."""
    first_seen: dict[Hashable, int] = {}
    codes = np.array([first_seen.setdefault(name, len(first_seen)) for name in clusters], dtype=np.intp)
    if codes.size != size:
        raise ValueError(f"{size} values, but the clusters of {codes.size}")
    return codes, len(first_seen)


def rounds_of(count: int, width: int) -> Iterator[int]:
    """`count` rows of `width` numbers, divided into as many rows as are drawn at once."""
    most = max(1, MOST_NUMBERS // max(1, width))
    for done in range(0, count, most):
        yield min(most, count - done)


def drawn_counts(count: int, resamples: int, seed: int, width: int = 0) -> Iterator[Indices]:
    """How often each of `count` clusters is drawn with replacement, as many as there are: rounds (R, M).

    `width` is how many numbers the caller makes of a row, where they are more than M.
    """
    generator = np.random.default_rng(seed)
    for rows in rounds_of(resamples, max(count, width)):
        drawn = generator.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)


def counts_without_one(count: int, width: int = 0) -> Iterator[Indices]:
    """All clusters but one, each left out once: rounds (R, M)."""
    done = 0
    for rows in rounds_of(count, max(count, width)):
        yield 1 - np.eye(rows, count, done, dtype=np.intp)
        done += rows
