"""Lessons by moment: labelled examples and unlabelled clips come in; the batch of any step goes out.

As with a feed, a lesson is a pure function of the seed and the step.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from apical.batch import Batch
from apical.dataset import Dataset
from apical.feed import Feed
from apical.frames import FrameStore
from apical.learner import Lesson, Unlabelled
from apical.moment import Moment
from apical.sampling._listed import Listed, ListedConfig
from apical.sampling.base import Sampling
from apical.sampling.frames import Frames, FramesConfig
from apical.tasks.base import Answers
from apical.views import ViewConfig, Views

__all__ = ["Labelled", "Others", "even_batches", "lesson"]

SHOWN = "shown"
"""The one group of views."""
OTHERS_PER_CLIP = 4
"""Frames of a clip that an epoch of unlabelled images shows."""
Integers = npt.NDArray[np.int64]


def even_batches(num_samples: int, most: int, parts: int) -> int:
    """The largest batch, up to `most` and in `parts` equal parts, that leaves next to nothing of an epoch out."""
    batches = -(-num_samples // most)
    return max(num_samples // batches // parts, 1) * parts


class Labelled:
    """Examples with their answers, in views that share one draw with them."""

    def __init__(
        self,
        dataset: Dataset,
        clips: pl.DataFrame,
        examples: pl.DataFrame,
        answers: Answers,
        view: ViewConfig,
        store: FrameStore,
        *,
        size: tuple[int, int],
        batch_size: int,
        fewest: int,
        most_steps: int | None,
        seed: int,
    ) -> None:
        """`examples` are rows (row, frame) of `clips`, with which `store` was opened; an epoch has `fewest` or more."""
        self.answers = answers
        self._rows, self._frames = (examples[name].to_numpy().astype(np.int64) for name in ("row", "frame"))
        self._places = {pair: place for place, pair in enumerate(_pairs(self._rows, self._frames))}
        self._rule = Listed(ListedConfig(fewest=fewest), self._rows, self._frames)
        self.feed = Feed(
            dataset,
            clips,
            self._rule,
            _views(dataset, view, size),
            batch_size=min(batch_size, self._rule.num_samples),
            seed=seed,
            store=store,
            most_steps=most_steps,
        )

    def part(self, moment: Moment, part: int, parts: int) -> tuple[Tensor, Tensor]:
        """Images and answers of one of equal parts of the batch."""
        batch = self.feed.batch(moment, part, parts)
        places = [self._places[pair] for pair in _pairs(batch.clips.numpy(), batch.frames.numpy())]
        images, warps = batch.views[SHOWN][0], batch.warps[SHOWN][0]
        size = (images.shape[-2], images.shape[-1])
        return images, self.answers.at(torch.tensor(places), warps, size).to(images.device)


class Others:
    """Unlabelled frames, as they are and changed."""

    def __init__(
        self,
        dataset: Dataset,
        clips: pl.DataFrame,
        view: ViewConfig,
        store: FrameStore,
        *,
        size: tuple[int, int],
        batch_size: int,
        seed: int,
    ) -> None:
        rule: Sampling = Frames(FramesConfig(per_clip=OTHERS_PER_CLIP), dataset, clips)
        if rule.num_samples < batch_size:
            rule = _every_frame(clips, batch_size)
        self.size, self.store = size, store
        self.feed = Feed(
            dataset,
            clips,
            rule,
            _views(dataset, view, size),
            batch_size=batch_size,
            seed=seed + 1,
            store=store,
        )

    def part(self, moment: Moment, part: int, parts: int) -> Unlabelled:
        """One of equal parts of the batch."""
        own = self.feed.steps_per_epoch
        batch: Batch = self.feed.batch(Moment(moment.step, own, -(-moment.steps // own)), part, parts)
        plain = self.store.plain_images(batch.clips.numpy(), batch.frames.numpy(), self.size)
        return Unlabelled(plain, batch.views[SHOWN][0], batch.warps[SHOWN][0])


def lesson(labelled: Labelled, others: Others | None, moment: Moment, part: int, parts: int) -> Lesson:
    """One of equal parts of the lesson of a moment."""
    images, answers = labelled.part(moment, part, parts)
    return Lesson(images, answers, None if others is None else others.part(moment, part, parts))


def _views(dataset: Dataset, view: ViewConfig, size: tuple[int, int]) -> Views:
    return Views({SHOWN: view.model_copy(update={"count": 1, "size": size})}, *dataset.frame_size)


def _every_frame(clips: pl.DataFrame, fewest: int) -> Listed:
    lengths = clips["num_frames"].to_numpy()
    frames = np.concatenate([np.arange(length) for length in lengths])
    return Listed(ListedConfig(fewest=fewest), np.repeat(np.arange(len(lengths)), lengths), frames)


def _pairs(rows: Integers, frames: Integers) -> list[tuple[int, int]]:
    return list(zip(rows.tolist(), frames.tolist(), strict=True))
