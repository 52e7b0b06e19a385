"""Two videos of one study: a clip of each, since what they have in common is the patient's heart (Holste 2024).

One pair a study and epoch, drawn anew: studies with many videos count no more than others. A study with one video
gives two clips of it. The released code shows all pairs of each study instead (pairs=all).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
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
    pairs: Literal["drawn", "all"] = "drawn"
    """Whether an epoch shows a few pairs of each study, drawn anew, or all that there are."""
    per_study: int = Field(default=1, gt=0)
    """How many pairs of each study an epoch shows, where they are drawn."""


class StudyPairs(Sampling):
    """`per_study` pairs of every study, or all pairs."""

    Config = StudyPairsConfig
    config: StudyPairsConfig

    def __init__(self, config: StudyPairsConfig, dataset: Dataset, clips: pl.DataFrame) -> None:  # noqa: ARG002
        self.config = config
        self._lengths = clips["num_frames"].to_numpy().astype(np.int64)
        grouped = (
            clips.with_row_index("row").group_by("patient", "study", maintain_order=True).agg(pl.col("row"))
        )
        rows = [np.asarray(each, np.int64) for each in grouped["row"].to_list()]
        times = config.per_study if config.pairs == "drawn" else 1
        self._studies = [each for each in rows for _ in range(times)]
        self._all = np.array([pair for each in rows for pair in _pairs_of(each)], np.int64).reshape(-1, 2)
        self._num_single = sum(len(each) == 1 for each in rows)
        self._num_studies = len(rows)

    @property
    def num_samples(self) -> int:
        """The pairs that an epoch shows."""
        return len(self._studies if self.config.pairs == "drawn" else self._all)

    def draw(self, random: np.random.Generator) -> Sampled:
        """Two videos of each study, different ones where it has them, and a start in each."""
        is_drawn = self.config.pairs == "drawn"
        clips = _drawn_pairs(self._studies, random) if is_drawn else self._all
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


def _drawn_pairs(studies: Sequence[Integers], random: np.random.Generator) -> Integers:
    """(N, 2): two different rows of each, where it has them."""
    counts = np.array([len(each) for each in studies], np.int64)
    first = (random.random(len(studies)) * counts).astype(np.int64)
    step = 1 + (random.random(len(studies)) * np.maximum(counts - 1, 1)).astype(np.int64)
    places = np.stack([first, (first + step) % counts], axis=1)
    return np.array([rows[pair] for rows, pair in zip(studies, places, strict=True)], np.int64).reshape(-1, 2)


def _pairs_of(rows: Integers) -> list[tuple[int, int]]:
    """All pairs of different rows; of a study with one video, that one and itself."""
    listed = rows.tolist()
    return list(combinations(listed, 2)) or [(listed[0], listed[0])]
