"""The average symmetric surface distance: how far apart the edges are on the whole."""

from __future__ import annotations

import numpy as np

from apical.metrics.base import Array, SurfaceMetric

__all__ = ["Asd"]


class Asd(SurfaceMetric):
    """The mean over the pixels of both edges together, as monai's with `symmetric=True`."""

    def of_distances(self, found_to_truth: Array, truth_to_found: Array) -> float:
        """In mm."""
        return float(np.concatenate([found_to_truth, truth_to_found]).mean())
