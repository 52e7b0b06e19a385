"""Clips of listed videos from random starts, alone or several of a study together: for labelled studies."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from apical.sampling.base import Sampled, Sampling, SamplingConfig
from apical.sampling.clips import clip_frames, too_short

__all__ = ["DrawnClips", "DrawnClipsConfig"]

Integers = npt.NDArray[np.int64]


class DrawnClipsConfig(SamplingConfig):
    """How clips are cut, and how often each video is shown."""

    name: Literal["drawn"] = "drawn"
    frames: int
    """Frames of a clip."""
    stride: int
    """How many frames on each next one lies, where the video is long enough."""
    videos: int = 1
    """Videos of a study in a sample; one that has fewer shows other clips of those it has."""
    fewest: int = 1
    """The fewest samples in an epoch: where there are not so many, all are shown again."""


class DrawnClips(Sampling):
    """A sample of each video or, where several are looked at together, of each study."""

    Config = DrawnClipsConfig
    config: DrawnClipsConfig

    def __init__(
        self, config: DrawnClipsConfig, rows: Integers, lengths: Integers, studies: Integers
    ) -> None:
        """Rows (N,) of the clips' table, the videos' lengths (N,), and a number for the study of each (N,)."""
        self.config, self._rows, self._lengths = config, rows, lengths
        groups = _alike(studies) if config.videos > 1 else np.arange(len(rows))[:, None]
        self._groups = [*groups] * max(1, -(-config.fewest // len(groups)))

    @property
    def num_samples(self) -> int:
        """Repeats counted."""
        return len(self._groups)

    def draw(self, random: np.random.Generator) -> Sampled:
        """Other videos of a study, in another order, and other starts each epoch."""
        wanted = self.config.videos
        places = np.stack([np.resize(random.permutation(group), wanted) for group in self._groups])
        config, lengths = self.config, self._lengths[places]
        starts = random.random(places.shape)
        frames = clip_frames(lengths.ravel(), config.frames, config.stride, starts.ravel())
        return Sampled(self._rows[places], frames.reshape(*places.shape, config.frames))

    @property
    def remark(self) -> str | None:
        """How many videos are too short."""
        return too_short(self._lengths, self.config.frames, self.config.stride)


def _alike(studies: Integers) -> list[Integers]:
    """The places of each study's videos."""
    order = np.argsort(studies, kind="stable")
    _, begins = np.unique(studies[order], return_index=True)
    return np.split(order, begins[1:])
