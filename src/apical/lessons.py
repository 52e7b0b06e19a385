"""Lessons by moment: labelled examples and unlabelled clips come in; the batch of any step goes out.

As with a feed, a lesson is a pure function of the seed and the step.
"""

from __future__ import annotations

from collections.abc import Hashable

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
from apical.looks import Look
from apical.moment import Moment
from apical.sampling._drawn import DrawnClips, DrawnClipsConfig
from apical.sampling._listed import Listed, ListedConfig
from apical.sampling.base import Sampling
from apical.sampling.clips import Clips, ClipsConfig
from apical.sampling.frames import Frames, FramesConfig
from apical.tasks.base import Answers
from apical.views import ViewConfig, Views

__all__ = ["Labelled", "Others", "even_batches", "lesson", "samples_of"]

SHOWN = "shown"
"""The one group of views."""
OTHERS_PER_CLIP = 4
"""Frames of a clip that an epoch of unlabelled images shows."""
Integers = npt.NDArray[np.int64]


def even_batches(num_samples: int, most: int, parts: int) -> int:
    """The largest batch, up to `most` and in `parts` equal parts, that leaves next to nothing of an epoch out."""
    batches = -(-num_samples // most)
    return max(num_samples // batches // parts, 1) * parts


def samples_of(examples: pl.DataFrame, look: Look | None) -> int:
    """How many samples these examples make: as many, or one a study where its videos are looked at together."""
    return examples["study"].n_unique() if look and look.videos > 1 else len(examples)


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
        look: Look | None = None,
    ) -> None:
        """`examples` are rows (row, frame) of `clips`, with which `store` was opened; an epoch has `fewest` or more."""
        self.answers, self._look = answers, look
        rows, frames = (examples[name].to_numpy().astype(np.int64) for name in ("row", "frame"))
        self._places = {key: place for place, key in enumerate(self._keys(rows, frames))}
        self._rule = (
            Listed(ListedConfig(fewest=fewest), rows, frames)
            if look is None
            else _drawn(look, clips, examples, rows, fewest)
        )
        self.feed = Feed(
            dataset,
            clips,
            self._rule,
            _views(dataset, view, size, look.videos if look else 1),
            batch_size=min(batch_size, self._rule.num_samples),
            seed=seed,
            store=store,
            most_steps=most_steps,
        )

    @property
    def remark(self) -> str | None:
        """What a user should know of how they are shown."""
        return self._rule.remark

    def part(self, moment: Moment, part: int, parts: int) -> tuple[Tensor, Tensor]:
        """Images and answers of one of equal parts of the batch; clips of one sample lie beside each other."""
        batch = self.feed.batch(moment, part, parts)
        places = [self._places[key] for key in self._keys(batch.clips.numpy(), batch.frames.numpy())]
        views = batch.views[SHOWN]
        images = views[0] if len(views) == 1 else torch.stack(list(views), dim=1).flatten(0, 1)
        size = (images.shape[-2], images.shape[-1])
        answers = self.answers.at(torch.tensor(places), batch.warps[SHOWN][0], size)
        return images, answers.to(images.device)

    def _keys(self, rows: Integers, frames: Integers) -> list[Hashable]:
        """What tells examples apart: frames, or videos whatever clip of them is shown."""
        return rows.tolist() if self._look else list(zip(rows.tolist(), frames.tolist(), strict=True))


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
        look: Look | None = None,
    ) -> None:
        rule: Sampling = Frames(FramesConfig(per_clip=OTHERS_PER_CLIP), dataset, clips)
        if look is not None:
            turns = -(-batch_size // len(clips))
            rule = Clips(ClipsConfig(frames=look.frames, stride=look.stride, per_clip=turns), dataset, clips)
        elif rule.num_samples < batch_size:
            rule = _every_frame(clips, batch_size)
        self.size, self.store, self._look = size, store, look
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
        rows, frames = batch.clips.numpy(), batch.frames.numpy()
        if self._look is not None:
            frames = self._look.frames_at(frames, self.store.num_frames[rows])
        plain = self.store.plain_images(rows, frames, self.size)
        return Unlabelled(plain, batch.views[SHOWN][0], batch.warps[SHOWN][0])


def lesson(labelled: Labelled, others: Others | None, moment: Moment, part: int, parts: int) -> Lesson:
    """One of equal parts of the lesson of a moment."""
    images, answers = labelled.part(moment, part, parts)
    return Lesson(images, answers, None if others is None else others.part(moment, part, parts))


def _views(dataset: Dataset, view: ViewConfig, size: tuple[int, int], count: int = 1) -> Views:
    return Views({SHOWN: view.model_copy(update={"count": count, "size": size})}, *dataset.frame_size)


def _drawn(
    look: Look, clips: pl.DataFrame, examples: pl.DataFrame, rows: Integers, fewest: int
) -> DrawnClips:
    config = DrawnClipsConfig(frames=look.frames, stride=look.stride, videos=look.videos, fewest=fewest)
    lengths = clips["num_frames"].to_numpy().astype(np.int64)[rows]
    studies = examples.select(pl.struct("patient", "study").rank("dense").cast(pl.Int64)).to_series()
    return DrawnClips(config, rows, lengths, studies.to_numpy())


def _every_frame(clips: pl.DataFrame, fewest: int) -> Listed:
    lengths = clips["num_frames"].to_numpy()
    frames = np.concatenate([np.arange(length) for length in lengths])
    return Listed(ListedConfig(fewest=fewest), np.repeat(np.arange(len(lengths)), lengths), frames)
