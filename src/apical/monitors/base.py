"""What a monitor is: features of a few held-out images come in, named figures go out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Embedded", "Monitor"]


@dataclass(frozen=True)
class Embedded:
    """Backbone vectors of a bank of training images and of held-out queries, with what is known of them (CPU)."""

    bank: Tensor
    """(M, D)"""
    queries: Tensor
    """(N, D), of other patients than the bank's."""
    first_views: Tensor
    """(N, D): of one augmented view of each query."""
    second_views: Tensor
    """(N, D): of another."""
    bank_labels: Mapping[str, Tensor]
    """(M,) classes by label name; -1 where unknown."""
    query_labels: Mapping[str, Tensor]
    """(N,) likewise."""


class Monitor(ABC):
    """One way to look at features."""

    higher_is_better: Mapping[str, bool]
    """By the beginning of a figure's name."""

    @abstractmethod
    def measure(self, embedded: Embedded) -> Mapping[str, float]:
        """Figures by name, such as `knn_echo_view`; empty where there is nothing to measure by."""
