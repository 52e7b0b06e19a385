"""What a metric is: a mask that was found and the true one come in, one figure goes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt

__all__ = ["MaskPair", "Metric", "SurfaceMetric"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class MaskPair:
    """Two masks (H, W) of one structure in one image, and what metrics share of them, worked out once."""

    found: Mask
    truth: Mask
    spacing: tuple[float, float] = (1.0, 1.0)
    """Of pixels, (y, x), in mm."""

    def __post_init__(self) -> None:
        assert self.found.shape == self.truth.shape, (self.found.shape, self.truth.shape)
        assert self.found.dtype == self.truth.dtype == np.bool_, (self.found.dtype, self.truth.dtype)

    @cached_property
    def found_area(self) -> int:
        """Pixels of the found mask."""
        return int(np.count_nonzero(self.found))

    @cached_property
    def true_area(self) -> int:
        """Pixels of the true mask."""
        return int(np.count_nonzero(self.truth))

    @cached_property
    def shared_area(self) -> int:
        """Pixels of both."""
        return int(np.count_nonzero(self.found & self.truth))

    @cached_property
    def surface_distances(self) -> tuple[Array, Array]:
        """Distances (E,) in mm of each edge pixel of the found mask to the nearest of the true one; and the reverse.

        The edge is what an erosion takes away, as in monai; neither mask may be empty.
        """
        window = _box(
            self.found | self.truth
        )  # what lies outside the image counts as background, and so may all else
        found_edge, true_edge = _edge(self.found[window]), _edge(self.truth[window])
        return self._distances(found_edge, true_edge), self._distances(true_edge, found_edge)

    def _distances(self, from_edge: Mask, to_edge: Mask) -> Array:
        distances = np.asarray(distance_transform_edt(~to_edge, sampling=self.spacing), dtype=np.float64)
        return distances[from_edge]


class Metric(ABC):
    """One way to say how alike two masks are."""

    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True

    @abstractmethod
    def measure(self, pair: MaskPair) -> float:
        """The figure of one image; NaN where there is none."""


class SurfaceMetric(Metric):
    """One way to sum up how far two edges are apart: 0 if both masks are empty, NaN if one of them is."""

    unit: ClassVar[str] = "mm"
    higher_is_better: ClassVar[bool] = False

    def measure(self, pair: MaskPair) -> float:
        """The figure of one image in mm."""
        if pair.found_area and pair.true_area:
            return self.of_distances(*pair.surface_distances)
        return float("nan") if pair.found_area or pair.true_area else 0.0

    @abstractmethod
    def of_distances(self, found_to_truth: Array, truth_to_found: Array) -> float:
        """The figure, from the distances of each edge's pixels to the other edge."""


def _box(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns that hold the whole mask."""
    (rows,), (columns,) = np.nonzero(mask.any(axis=1)), np.nonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _edge(mask: Mask) -> Mask:
    return mask & ~np.asarray(binary_erosion(mask), dtype=np.bool_)
