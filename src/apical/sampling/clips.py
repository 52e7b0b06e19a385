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

__all__ = ["Clips", "ClipsConfig", "clip_frames", "even_starts", "frames_from", "too_short"]

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
        self._all_lengths = lengths

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
        return too_short(self._all_lengths, self.config.frames, self.config.stride)


def too_short(lengths: Integers, count: int, stride: int) -> str | None:
    """What to say of videos of these lengths (N,) that are too short for `count` frames; nothing if none is."""
    short = int((lengths < (count - 1) * stride + 1).sum())
    if not short:
        return None
    return (
        f"{short} clips are too short for {count} frames at stride {stride} "
        "and show theirs closer together, or forth and back"
    )


def clip_frames(lengths: Integers, count: int, stride: int, starts: npt.NDArray[np.float64]) -> Integers:
    """(N, count): frames of clips from videos of these lengths (N,); `starts` (N,) in [0, 1) say where they begin."""
    room = np.maximum(lengths - (count - 1) * _strides(lengths, count, stride), 1)
    first = np.minimum((starts * room).astype(np.int64), room - 1)
    return frames_from(first, lengths, count, stride)


def frames_from(first: Integers, lengths: Integers, count: int, stride: int) -> Integers:
    """(N, count): frames of clips that begin with the frames `first` (N,) of videos of these lengths (N,)."""
    steps = np.arange(count) * _strides(lengths, count, stride)[:, None]
    return _forth_and_back(first[:, None] + steps, lengths[:, None])


def even_starts(length: int, count: int, stride: int, clips: int) -> list[int]:
    """Where so many clips begin that lie evenly in a video, from its beginning to its end; fewer if it is short."""
    room = length - (count - 1) * int(_strides(np.array([length]), count, stride)[0])
    places = np.linspace(0, max(room - 1, 0), clips).round().astype(np.int64)
    starts: list[int] = np.unique(places).tolist()
    return starts


def _strides(lengths: Integers, count: int, stride: int) -> Integers:
    """How far on each next frame lies: as asked for, or closer together where a video is too short for that."""
    return np.clip((lengths - 1) // max(count - 1, 1), 1, stride)


def _forth_and_back(places: Integers, lengths: Integers) -> Integers:
    """Places on an endless road as frames of videos that turn round at either end."""
    period = np.maximum(2 * lengths - 2, 1)
    within: Integers = places % period
    return np.where(within < lengths, within, period - within)
