"""Two videos of one study: a clip of each, since what they have in common is the patient's heart (Holste 2024).

One pair a study and epoch, drawn anew: studies with many videos count no more than others. A study with one video
gives two clips of it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from apical.dataset import Dataset
from apical.sampling.base import Sampled, Sampling, SamplingConfig
from apical.sampling.clips import clip_frames

__all__ = ["StudyPairs", "StudyPairsConfig"]

Integers = npt.NDArray[np.int64]


class StudyPairsConfig(SamplingConfig):
    """How clips are cut from the videos of a study."""

    name: Literal["study_pairs"] = "study_pairs"
    frames: int = Field(default=4, gt=0)
    """Frames of a clip."""
    stride: int = Field(default=1, gt=0)
    """How many frames on each next one lies, where the video is long enough."""
    per_study: int = Field(default=1, gt=0)
    """How many pairs of each study an epoch shows."""


class StudyPairs(Sampling):
    """`per_study` pairs of every study."""

    Config = StudyPairsConfig
    config: StudyPairsConfig

    def __init__(self, config: StudyPairsConfig, dataset: Dataset, clips: pl.DataFrame) -> None:  # noqa: ARG002
        self.config = config
        self._lengths = clips["num_frames"].to_numpy().astype(np.int64)
        grouped = (
            clips.with_row_index("row").group_by("patient", "study", maintain_order=True).agg(pl.col("row"))
        )
        rows = [np.asarray(each, np.int64) for each in grouped["row"].to_list()]
        self._counts = np.repeat(np.array([len(each) for each in rows], np.int64), config.per_study)
        starts = np.cumsum([0, *map(len, rows)])[:-1]
        self._starts = np.repeat(starts.astype(np.int64), config.per_study)
        self._rows = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        self._num_single = sum(len(each) == 1 for each in rows)
        self._num_studies = len(rows)

    @property
    def num_samples(self) -> int:
        """The pairs that an epoch shows."""
        return len(self._counts)

    def draw(self, random: np.random.Generator) -> Sampled:
        """Two videos of each study, different ones where it has them, and a start in each."""
        first = (random.random(self.num_samples) * self._counts).astype(np.int64)
        step = 1 + (random.random(self.num_samples) * np.maximum(self._counts - 1, 1)).astype(np.int64)
        second = (first + step) % self._counts
        clips = self._rows[np.stack([self._starts + first, self._starts + second], axis=1)]
        config, lengths = self.config, self._lengths[clips]
        starts = random.random(clips.shape)
        frames = clip_frames(lengths.ravel(), config.frames, config.stride, starts.ravel())
        return Sampled(clips, frames.reshape(*clips.shape, config.frames))

    @property
    def remark(self) -> str | None:
        """How many studies have one video only."""
        if not self._num_single:
            return None
        return f"{self._num_single} of {self._num_studies} studies have one video, of which both clips of a pair are"
