"""Batches by moment: sampled frames and drawn views come in; the batch of any step, or a part of it, goes out.

A batch is a pure function of the seed, the step and the part, whatever was asked for before. While one is worked
on, the next is made ready in a thread: which samples, where their views lie, and their frames as stored.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from apical.batch import Batch
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.frames import FrameStore
from apical.moment import Moment
from apical.sampling.base import Sampled, Sampling
from apical.views import ViewDraw, Views

__all__ = ["Feed"]

SAMPLES, ORDER, VIEWS = range(3)
"""What a generator is for: the number after the seed, so that no two give the same numbers."""
COVERAGE_SIDE = 16
"""Places a side of which it is known how much the ultrasound sector covers."""


class Feed:
    """The batches of a training. Each epoch shows every sample once, in a new order, less what fills no batch."""

    def __init__(
        self,
        dataset: Dataset,
        clips: pl.DataFrame,
        sampling: Sampling,
        views: Views,
        *,
        batch_size: int,
        seed: int,
        store: FrameStore,
        most_steps: int | None = None,
    ) -> None:
        """`clips` are the rows that `sampling` and `store` were made with; `most_steps` cuts epochs short."""
        if batch_size > sampling.num_samples:
            raise _too_large(batch_size, sampling.num_samples, len(clips))
        self.batch_size, self.num_samples = batch_size, sampling.num_samples
        whole_batches = self.num_samples // batch_size
        self.steps_per_epoch = whole_batches if most_steps is None else min(whole_batches, most_steps)
        self._views, self._store = views, store
        self._patients, self._studies = _codes(clips, "patient"), _codes(clips, "patient", "study")
        plan = _Plan(sampling, views, _Coverage(dataset, clips), batch_size, self.steps_per_epoch, seed)
        self._ahead = _Ahead(lambda ask: _ready(plan, store, ask))

    def batch(self, moment: Moment, part: int = 0, parts: int = 1) -> Batch:
        """The batch of a moment, or one of its `parts` equal parts, which laid end to end are the whole."""
        assert moment.steps_per_epoch == self.steps_per_epoch
        assert 0 <= part < parts
        if self.batch_size % parts:
            raise ApicalError(
                f"A batch of {self.batch_size} can't be cut into {parts} equal parts",
                remedy=f"Set batch_size to a multiple of {parts}, the number of devices times that of accumulate.",
            )
        ready = self._ahead.get(_Ask(moment.step, part, parts), moment.steps)
        views, warps = self._views.apply(self._store.deliver(ready.staged), ready.draw)
        device = self._store.device
        patients, studies = self._patients[ready.clips], self._studies[ready.clips]
        return Batch(views, warps, patients.to(device), studies.to(device), ready.clips, ready.frames)

    def close(self) -> None:
        """End the thread; no batch can be asked for any more."""
        self._ahead.close()

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Ask(NamedTuple):
    step: int
    part: int
    parts: int


class _Ready(NamedTuple):
    """All of a batch that needs no work by the device."""

    staged: Tensor
    draw: ViewDraw
    clips: Tensor
    """(B,): the row of each sample's first clip."""
    frames: Tensor
    """(B,): its first frame."""


def _ready(plan: _Plan, store: FrameStore, ask: _Ask) -> _Ready:
    samples, draw = plan.step(ask.step)
    size = len(samples) // ask.parts
    part = slice(ask.part * size, (ask.part + 1) * size)
    clips, frames = samples.clips[part], samples.frames[part]
    first = torch.from_numpy(clips[:, 0]), torch.from_numpy(frames[:, 0, 0])
    return _Ready(store.stage(clips, frames), draw.part(part), *first)


class _Plan:
    """What every step shows: samples and draws of whole batches, so that devices that share one agree."""

    def __init__(
        self,
        sampling: Sampling,
        views: Views,
        coverage: _Coverage,
        batch_size: int,
        steps_per_epoch: int,
        seed: int,
    ) -> None:
        self.sampling, self.views, self.coverage = sampling, views, coverage
        self.batch_size, self.steps_per_epoch, self.seed = batch_size, steps_per_epoch, seed
        self.epoch = lru_cache(maxsize=1)(self._epoch)
        self.step = lru_cache(maxsize=1)(self._step)

    def _epoch(self, epoch: int) -> tuple[Sampled, npt.NDArray[np.int64]]:
        """An epoch's samples, and the order to show them in."""
        drawn_in = 0 if self.sampling.config.fixed else epoch
        samples = self.sampling.draw(self._random(SAMPLES, drawn_in))
        assert len(samples) == self.sampling.num_samples
        return samples, self._random(ORDER, epoch).permutation(len(samples))

    def _step(self, step: int) -> tuple[Sampled, ViewDraw]:
        """The samples of a whole batch, and where their views lie."""
        samples, order = self.epoch(step // self.steps_per_epoch)
        start = step % self.steps_per_epoch * self.batch_size
        chosen = order[start : start + self.batch_size]
        clips = samples.clips[chosen]
        sectors = self.coverage.of(clips) if self.views.wants_sectors else None
        draw = self.views.draw(self._random(VIEWS, step), len(clips), sectors)
        return Sampled(clips, samples.frames[chosen]), draw

    def _random(self, purpose: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, index])


class _Coverage:
    """How much of each place of a frame lies in the ultrasound sector, found when a clip is first met."""

    def __init__(self, dataset: Dataset, clips: pl.DataFrame) -> None:
        self.dataset, self.names = dataset, clips["clip"]
        self.shares = np.full((len(clips), COVERAGE_SIDE, COVERAGE_SIDE), np.nan, np.float32)

    def of(self, clips: npt.NDArray[np.int64]) -> Tensor:
        """Shares (B, 16, 16) for clips (B, V); where a sample has several clips, of the sector they have in common."""
        for row in np.unique(clips[np.isnan(self.shares[clips, 0, 0])]).tolist():
            mask = torch.from_numpy(self.dataset.sector_mask(self.names[row])).float()
            self.shares[row] = functional.adaptive_avg_pool2d(mask[None], COVERAGE_SIDE)[0].numpy()
        return torch.from_numpy(self.shares[clips].min(axis=1))


class _Ahead:
    """Makes what is asked for in one thread, and then what will be asked for next, judging by the last time."""

    def __init__(self, make: Callable[[_Ask], _Ready]) -> None:
        self.make = make
        self.thread = ThreadPoolExecutor(1, "feed")
        self.guess: tuple[_Ask, Future[_Ready]] | None = None
        self.last: _Ask | None = None
        self.habits: dict[tuple[int, int], tuple[int, int]] = {}
        """By part and parts: how many steps on the next ask was, and its part."""

    def get(self, ask: _Ask, end: int) -> _Ready:
        """What is asked for; what is guessed to be next is begun, unless it lies beyond step `end`."""
        if self.last is not None and self.last.parts == ask.parts:
            self.habits[self.last.part, ask.parts] = ask.step - self.last.step, ask.part
        self.last = ask
        wanted = self._begun(ask)
        steps, part = self.habits.get((ask.part, ask.parts), (1, ask.part))
        following = _Ask(ask.step + steps, part, ask.parts)
        if 0 <= following.step < end:
            self.guess = following, self.thread.submit(self.make, following)
        return wanted.result()

    def close(self) -> None:
        self.thread.shutdown(cancel_futures=True)

    def _begun(self, ask: _Ask) -> Future[_Ready]:
        """The guess if it was right; what was guessed wrongly is dropped."""
        guess, self.guess = self.guess, None
        if guess is not None and guess[0] == ask:
            return guess[1]
        if guess is not None:
            guess[1].cancel()
        return self.thread.submit(self.make, ask)


def _codes(clips: pl.DataFrame, *columns: str) -> Tensor:
    """(clips,): a number for each combination of values."""
    ranks = clips.select(pl.struct(columns).rank("dense").cast(pl.Int64)).to_series()
    return torch.from_numpy(ranks.to_numpy() - 1)


def _too_large(batch_size: int, num_samples: int, num_clips: int) -> ApicalError:
    per_clip = -(-batch_size // num_clips)
    return ApicalError(
        f"A batch of {batch_size} is larger than an epoch, which has {num_samples} samples of {num_clips} clips",
        remedy=(
            f"Set batch_size={num_samples} or less; or, where clips have more frames than are shown, show more: "
            f"sampling.name=frames sampling.per_clip={per_clip}"
        ),
    )
