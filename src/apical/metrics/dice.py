"""Dice: twice the shared area over the sum of both areas (Dice, 1945)."""

from __future__ import annotations

from apical.metrics.base import MaskPair, Metric

__all__ = ["Dice"]


class Dice(Metric):
    """Overlap from 0 to 1; 1 if both masks are empty."""

    def measure(self, pair: MaskPair) -> float:
        """2 |A ∩ B| / (|A| + |B|)."""
        both = pair.found_area + pair.true_area
        return 2 * pair.shared_area / both if both else 1.0
