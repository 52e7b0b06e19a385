"""What a way to explain is: a network and clips come in; where and when its answer comes from goes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from apical.config import PieceConfig
from apical.networks.base import Network

__all__ = ["Evidence", "Explanation", "ExplanationConfig", "Saliency", "in_shares"]

Evidence = Callable[[Tensor], Tensor]
"""From a network's outputs (B, K) to the log-odds (B,) of the answer that is asked about."""


class ExplanationConfig(PieceConfig):
    """Settings of a way to explain."""


class Saliency(NamedTuple):
    """What speaks for an answer: float32 from 0 to 1, the most in each clip being 1; all 0 where nothing does."""

    maps: Tensor
    """(B, T, H, W): where. An image is a clip of one frame."""
    frames: Tensor
    """(B, T): when."""
    grid: tuple[int, int]
    """Places down and across that are told apart: maps are no finer, however large they are."""


class Explanation(ABC):
    """A way to explain. The network is in evaluation mode and stays as it is."""

    Config: ClassVar[type[ExplanationConfig]]

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def explain(self, network: Network, images: Tensor, evidence: Evidence) -> Saliency:
        """What in images (B, 1, H, W), or clips (B, 1, T, H, W), with values in [0, 1] speaks for the answer."""


def in_shares(values: Tensor) -> Tensor:
    """Values (B, ...) without what is below 0, as shares of each one's largest."""
    positive = values.clamp(min=0).float()
    largest = positive.flatten(1).amax(dim=1).reshape(-1, *[1] * (values.ndim - 1))
    return positive / largest.clamp(min=1e-30)
