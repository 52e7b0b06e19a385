"""Frames that are listed one by one, shown as often as an epoch needs: for labelled images, of which there are few."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from apical.sampling.base import Sampled, Sampling, SamplingConfig

__all__ = ["Listed", "ListedConfig"]


class ListedConfig(SamplingConfig):
    """How often each frame is shown."""

    name: Literal["listed"] = "listed"
    fewest: int = 1
    """The fewest samples in an epoch: where there are not so many frames, all are shown again."""


class Listed(Sampling):
    """These frames and no others."""

    Config = ListedConfig

    def __init__(
        self, config: ListedConfig, clips: npt.NDArray[np.int64], frames: npt.NDArray[np.int64]
    ) -> None:
        """`clips` (N,) are rows of the clips' table, `frames` (N,) their frames."""
        self.config = config
        turns = max(1, -(-config.fewest // len(clips)))
        self._clips, self._frames = np.tile(clips, turns), np.tile(frames, turns)

    @property
    def num_samples(self) -> int:
        """The frames that an epoch shows, repeats counted."""
        return len(self._clips)

    def draw(self, random: np.random.Generator) -> Sampled:
        """The same every epoch; the feed shuffles them."""
        del random
        return Sampled(self._clips[:, None], self._frames[:, None, None])

    @property
    def remark(self) -> str | None:
        """There is nothing that it leaves out."""
        return None
