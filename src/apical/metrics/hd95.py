"""The 95 % Hausdorff distance: how far apart the edges nearly are at most (Huttenlocher et al., 1993)."""

from __future__ import annotations

import numpy as np

from apical.metrics.base import Array, SurfaceMetric

__all__ = ["Hd95"]


class Hd95(SurfaceMetric):
    """The larger of the two directed 95th percentiles, as in monai."""

    def of_distances(self, found_to_truth: Array, truth_to_found: Array) -> float:
        """In mm."""
        return max(float(np.percentile(each, 95)) for each in (found_to_truth, truth_to_found))
