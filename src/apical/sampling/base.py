"""What a sampling rule is: a dataset's clips come in; each epoch, the frames to show go out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from apical.config import PieceConfig
from apical.dataset import Dataset

__all__ = ["Sampled", "Sampling", "SamplingConfig"]


class SamplingConfig(PieceConfig):
    """Settings that every rule has."""

    fixed: bool = False
    """Draw once, and show the same frames in every epoch."""


@dataclass(frozen=True)
class Sampled:
    """The samples of one epoch, in an order that carries no meaning (the feed shuffles them)."""

    clips: npt.NDArray[np.int64]
    """(N, V): rows of the sampled clips' table; V is 1, or 2 where views come from two videos."""
    frames: npt.NDArray[np.int64]
    """(N, V, T): frames within the clip; T is 1 for images."""

    def __len__(self) -> int:
        return len(self.clips)


class Sampling(ABC):
    """One rule. The number of samples is the same every epoch."""

    Config: ClassVar[type[SamplingConfig]]
    config: SamplingConfig

    @abstractmethod
    def __init__(self, config: SamplingConfig, dataset: Dataset, clips: pl.DataFrame) -> None:
        """`clips` are the rows of `dataset.usable_clips` to draw from; an error says if none of them will do."""

    @property
    @abstractmethod
    def num_samples(self) -> int:
        """How many samples an epoch has."""

    @abstractmethod
    def draw(self, random: np.random.Generator) -> Sampled:
        """One epoch's samples: a pure function of `random`'s state (the feed sees to `fixed`)."""

    @property
    @abstractmethod
    def remark(self) -> str | None:
        """What a user should know, such as how many clips the rule leaves out."""
