"""Intersection over union: the shared area over the area of either (Jaccard, 1901)."""

from __future__ import annotations

from apical.metrics.base import MaskPair, Metric

__all__ = ["Iou"]


class Iou(Metric):
    """Overlap from 0 to 1; 1 if both masks are empty."""

    def measure(self, pair: MaskPair) -> float:
        """|A ∩ B| / |A ∪ B|."""
        either = pair.found_area + pair.true_area - pair.shared_area
        return pair.shared_area / either if either else 1.0
