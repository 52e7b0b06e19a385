"""What an augmentation is: random numbers are drawn first, then applied to a batch, so that a draw can be replayed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from apical.config import PieceConfig

__all__ = ["Augmentation", "AugmentationConfig", "Draw"]

Draw = Mapping[str, Tensor]
"""Parameters by name, on the CPU, the first axis over samples: any slice of a draw is the draw of those samples."""


class AugmentationConfig(PieceConfig):
    """Settings that every augmentation has."""

    probability: float = Field(default=1.0, ge=0, le=1)
    """The share of images that it changes."""


class Augmentation(ABC):
    """One change. The frames of a clip are the channels of its image, so that all share one draw."""

    Config: ClassVar[type[AugmentationConfig]]

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def draw(self, random: np.random.Generator, count: int) -> Draw:
        """Parameters for `count` images: a pure function of `random`'s state."""

    @abstractmethod
    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """The changed images (B, T, H, W), float32 in [0, 1]; may overwrite what it is given."""
