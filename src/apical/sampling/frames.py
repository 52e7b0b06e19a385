"""Frames from anywhere in a clip, traced or not: every one of them, or a few drawn anew each epoch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from apical.dataset import Dataset
from apical.sampling.base import Sampled, Sampling, SamplingConfig

__all__ = ["Frames", "FramesConfig"]


class FramesConfig(SamplingConfig):
    """Which frames of each clip."""

    name: Literal["frames"] = "frames"
    per_clip: int | None = Field(default=None, gt=0)
    """How many different frames of each clip an epoch shows, at random; null shows all."""


class Frames(Sampling):
    """Every frame of every clip, or `per_clip` random ones; a clip that has fewer shows all it has."""

    Config = FramesConfig

    def __init__(self, config: FramesConfig, dataset: Dataset, clips: pl.DataFrame) -> None:  # noqa: ARG002
        self.config = config
        lengths = clips["num_frames"].to_numpy()
        self._wanted = config.per_clip or int(lengths.max(initial=0))
        self._num_short = int((lengths < (config.per_clip or 0)).sum())
        self._clips = np.repeat(np.arange(len(lengths)), lengths)
        self._frames = np.concatenate([np.arange(length) for length in lengths])

    @property
    def num_samples(self) -> int:
        """The frames that an epoch shows."""
        return int((self._frames < self._wanted).sum())

    def draw(self, random: np.random.Generator) -> Sampled:
        """Shuffle each clip's frames and take the first few."""
        order = np.argsort(self._clips + random.random(len(self._clips)))
        # shuffled within its clip, a frame's place is what its number was: places count up from 0 in each clip
        chosen = order[self._frames < self._wanted]
        return Sampled(self._clips[chosen, None], self._frames[chosen, None, None])

    @property
    def remark(self) -> str | None:
        """How many clips are shorter than asked for."""
        if not self._num_short:
            return None
        return f"{self._num_short} clips have fewer than {self._wanted} frames and show all they have"
