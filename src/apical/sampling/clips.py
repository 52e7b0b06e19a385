"""Short clips from anywhere in a video: a few frames, evenly apart, from a random start.

A video too short for that is shown with its frames closer together and, where even that does not do, forth and back:
no frame is ever black.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from apical.dataset import Dataset
from apical.sampling.base import Sampled, Sampling, SamplingConfig

__all__ = ["Clips", "ClipsConfig", "clip_frames"]

Integers = npt.NDArray[np.int64]


class ClipsConfig(SamplingConfig):
    """How clips are cut from videos."""

    name: Literal["clips"] = "clips"
    frames: int = Field(default=16, gt=0)
    """Frames of a clip."""
    stride: int = Field(default=2, gt=0)
    """How many frames on each next one lies, where the video is long enough."""
    per_clip: int = Field(default=1, gt=0)
    """How many clips of each video an epoch shows."""


class Clips(Sampling):
    """`per_clip` clips of every video."""

    Config = ClipsConfig
    config: ClipsConfig

    def __init__(self, config: ClipsConfig, dataset: Dataset, clips: pl.DataFrame) -> None:  # noqa: ARG002
        self.config = config
        lengths = clips["num_frames"].to_numpy().astype(np.int64)
        self._rows = np.repeat(np.arange(len(lengths)), config.per_clip)
        self._lengths = lengths[self._rows]
        span = (config.frames - 1) * config.stride + 1
        self._num_short = int((lengths < span).sum())

    @property
    def num_samples(self) -> int:
        """The clips that an epoch shows."""
        return len(self._rows)

    def draw(self, random: np.random.Generator) -> Sampled:
        """A start for each clip."""
        frames = clip_frames(
            self._lengths, self.config.frames, self.config.stride, random.random(len(self._rows))
        )
        return Sampled(self._rows[:, None], frames[:, None])

    @property
    def remark(self) -> str | None:
        """How many videos are shorter than asked for."""
        if not self._num_short:
            return None
        config = self.config
        return (
            f"{self._num_short} clips are too short for {config.frames} frames at stride {config.stride} "
            "and show theirs closer together, or forth and back"
        )


def clip_frames(lengths: Integers, count: int, stride: int, starts: npt.NDArray[np.float64]) -> Integers:
    """(N, count): frames of clips from videos of these lengths (N,); `starts` (N,) in [0, 1) say where they begin."""
    strides = np.clip((lengths - 1) // max(count - 1, 1), 1, stride)
    room = np.maximum(lengths - (count - 1) * strides, 1)
    first = np.minimum((starts * room).astype(np.int64), room - 1)
    return _forth_and_back(first[:, None] + np.arange(count) * strides[:, None], lengths[:, None])


def _forth_and_back(places: Integers, lengths: Integers) -> Integers:
    """Places on an endless road as frames of videos that turn round at either end."""
    period = np.maximum(2 * lengths - 2, 1)
    within: Integers = places % period
    return np.where(within < lengths, within, period - within)
