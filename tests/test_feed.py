"""A batch is a function of the seed and the step alone, in parts or whole, whatever was asked for before."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from apical.batch import Batch
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.feed import Feed
from apical.frames import FrameStore
from apical.moment import Moment
from apical.sampling.base import Sampling
from apical.sampling.frames import Frames, FramesConfig
from apical.views import CropConfig, ViewConfig, Views
from tests.sampling.stand_ins import TwoClips, WholeFrames
from tests.sampling.tiny import tiny_dataset

LENGTHS = [3, 1, 7, 4, 5]
BATCH = 6
EPOCHS = 4


def open_feed(dataset: Dataset, rule: Sampling | FramesConfig | None = None, **changes: Any) -> Feed:
    clips = changes.pop("clips", dataset.usable_clips)
    if rule is None or isinstance(rule, FramesConfig):
        rule = Frames(rule or FramesConfig(), dataset, clips)
    views = cast(Any, changes.pop("views", WholeFrames()))
    store = FrameStore.open(dataset, clips, changes.pop("where", "disk"))
    return Feed(dataset, clips, rule, views, **{"batch_size": BATCH, "seed": 0, "store": store, **changes})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny_dataset(tmp_path_factory.mktemp("tiny"), LENGTHS)


@pytest.fixture
def feed(dataset: Dataset) -> Iterator[Feed]:
    with open_feed(dataset) as opened:
        yield opened


def moment(feed: Feed, step: int) -> Moment:
    return Moment(step, feed.steps_per_epoch, EPOCHS)


def shown(batch: Batch) -> list[tuple[int, ...]]:
    """The first clip and the frame of each sample, read from its pixels."""
    corner = batch.views["whole"][0][:, 0, 0, 0, :2]
    return [tuple(pair) for pair in corner.tolist()]


def assert_equal(first: Batch, second: Batch) -> None:
    assert torch.equal(first.views["whole"][0], second.views["whole"][0])
    for name in first.warps:
        for one, other in zip(first.warps[name], second.warps[name], strict=True):
            assert torch.equal(one, other)
    assert torch.equal(first.patients, second.patients)
    assert torch.equal(first.studies, second.studies)


ASKS = st.lists(st.tuples(st.integers(0, 3 * EPOCHS - 1), st.sampled_from([1, 2, 3])), min_size=1, max_size=6)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asks=ASKS, seed=st.integers(0, 2**63))
def test_a_batch_does_not_hang_on_what_was_asked_before(
    dataset: Dataset, asks: list[tuple[int, int]], seed: int
) -> None:
    with open_feed(dataset, FramesConfig(per_clip=4), seed=seed) as feed:
        for step, parts in asks:
            at = moment(feed, min(step, feed.steps_per_epoch * EPOCHS - 1))
            found = feed.batch(at, parts - 1, parts)
            with open_feed(dataset, FramesConfig(per_clip=4), seed=seed) as fresh:
                assert_equal(found, fresh.batch(at, parts - 1, parts))


@pytest.mark.parametrize("parts", [2, 3, 6])
def test_parts_laid_end_to_end_are_the_whole(dataset: Dataset, parts: int) -> None:
    with open_feed(dataset, views=WholeFrames(wants_sectors=True)) as feed:
        for step in (0, 4, 5):
            whole = feed.batch(moment(feed, step))
            pieces = [feed.batch(moment(feed, step), part, parts) for part in range(parts)]
            joined = Batch(
                {"whole": [torch.cat([piece.views["whole"][0] for piece in pieces])]},
                {name: [torch.cat([piece.warps[name][0] for piece in pieces])] for name in whole.warps},
                torch.cat([piece.patients for piece in pieces]),
                torch.cat([piece.studies for piece in pieces]),
                torch.cat([piece.clips for piece in pieces]),
                torch.cat([piece.frames for piece in pieces]),
            )
            assert_equal(whole, joined)


def test_real_views_of_a_part_are_those_of_the_whole(tmp_path: Path) -> None:
    runs = [left_of(column, 32) for column in (32, 16, 5)]
    dataset = tiny_dataset(tmp_path, [4] * 3, height=32, width=32, sector_runs=runs)
    views = Views({"pair": ViewConfig(size=16, crop=CropConfig(sector_aware=0.5))}, 32, 32)
    with open_feed(dataset, views=views) as feed:
        whole = feed.batch(moment(feed, 1))
        second = feed.batch(moment(feed, 1), 1, 2)
    for view in range(2):
        assert whole.views["pair"][view].shape == (BATCH, 1, 16, 16)
        assert torch.equal(whole.views["pair"][view][BATCH // 2 :], second.views["pair"][view])
        assert torch.equal(whole.warps["pair"][view][BATCH // 2 :], second.warps["pair"][view])


def test_an_epoch_shows_every_frame_once_but_those_that_fill_no_batch(feed: Feed) -> None:
    every = {(clip, frame) for clip, length in enumerate(LENGTHS) for frame in range(length)}
    orders = []
    for epoch in range(EPOCHS):
        steps = range(epoch * feed.steps_per_epoch, (epoch + 1) * feed.steps_per_epoch)
        order = [pair for step in steps for pair in shown(feed.batch(moment(feed, step)))]
        assert len(order) == len(set(order)) == len(every) - len(every) % BATCH
        assert set(order) <= every
        orders.append(order)
    assert all(orders[0] != other for other in orders[1:])


def test_another_seed_gives_another_order_and_other_draws(dataset: Dataset, feed: Feed) -> None:
    with open_feed(dataset, seed=1) as other:
        first, second = feed.batch(moment(feed, 0)), other.batch(moment(other, 0))
    assert shown(first) != shown(second)
    assert not torch.equal(first.warps["draw"][0], second.warps["draw"][0])


@pytest.mark.parametrize("fixed", [False, True])
def test_a_fixed_rule_shows_the_same_frames_every_epoch_in_another_order(tmp_path: Path, fixed: bool) -> None:
    dataset = tiny_dataset(tmp_path, [50] * BATCH)
    with open_feed(dataset, FramesConfig(per_clip=1, fixed=fixed)) as feed:
        epochs = [shown(feed.batch(moment(feed, step))) for step in range(EPOCHS)]
    assert len({tuple(sorted(epoch)) for epoch in epochs}) == (1 if fixed else EPOCHS)
    assert len({tuple(epoch) for epoch in epochs}) == EPOCHS


def test_samples_of_two_clips_and_several_frames_pass_unchanged(dataset: Dataset) -> None:
    with open_feed(dataset, TwoClips(), batch_size=4) as feed:
        batch = feed.batch(moment(feed, 2))
    whole = batch.views["whole"][0]
    assert whole.shape == (4, 2, 2, 4, 5)
    expected = TwoClips().draw(np.random.default_rng([0, 0, 2]))
    order = np.random.default_rng([0, 1, 2]).permutation(4)
    np.testing.assert_array_equal(whole[:, :, 0, 0, 0].numpy(), expected.clips[order])
    np.testing.assert_array_equal(whole[..., 0, 1].numpy(), expected.frames[order])
    assert batch.patients.tolist() == expected.clips[order, 0].tolist()


def test_patients_and_studies_are_told_apart(tmp_path: Path) -> None:
    patient, study = ["b", "a", "b", "b"], ["s1", "s1", "s1", "s2"]
    with open_feed(tiny_dataset(tmp_path, [1] * 4, patient=patient, study=study), batch_size=4) as feed:
        batch = feed.batch(moment(feed, 0))
    clips = [clip for clip, _ in shown(batch)]
    patients = dict(zip(clips, batch.patients.tolist(), strict=True))
    studies = dict(zip(clips, batch.studies.tolist(), strict=True))
    assert patients == {0: 1, 1: 0, 2: 1, 3: 1}
    assert studies == {0: 1, 1: 0, 2: 1, 3: 2}
    assert batch.patients.dtype == batch.studies.dtype == torch.int64


def sectors_of(dataset: Dataset, rule: Sampling | None = None, **changes: Any) -> tuple[Tensor, Batch]:
    with open_feed(dataset, rule, views=WholeFrames(wants_sectors=True), **changes) as feed:
        batch = feed.batch(moment(feed, 0))
    return batch.warps["sectors"][0], batch


def left_of(column: int, side: int) -> list[int]:
    """The runs of a square mask that covers all left of a column."""
    return [0, *[column, side - column] * side] if column < side else [0, side * side]


def test_sectors_are_known_by_the_share_they_cover(tmp_path: Path) -> None:
    runs = [left_of(32, 32), left_of(16, 32), left_of(5, 32)]
    dataset = tiny_dataset(tmp_path, [2] * 3, height=32, width=32, sector_runs=runs)
    sectors, batch = sectors_of(dataset)
    for (clip, _), sector in zip(shown(batch), sectors, strict=True):
        expected = torch.zeros(16, 16)
        expected[:, : [16, 8, 2][clip]] = 1
        expected[:, 2] += 0.5 * (clip == 2)
        torch.testing.assert_close(sector, expected)


def test_two_clips_have_the_sector_that_they_share(tmp_path: Path) -> None:
    columns = [0, 0, 8, 16, 24]
    runs = [left_of(column, 32) for column in columns]
    dataset = tiny_dataset(tmp_path, [4] * 5, height=32, width=32, sector_runs=runs)
    sectors, batch = sectors_of(dataset, TwoClips(), batch_size=4)
    for clips, sector in zip(batch.views["whole"][0][:, :, 0, 0, 0].tolist(), sectors, strict=True):
        assert sector[0].sum() == min(columns[clip] for clip in clips) / 2


def test_no_sector_is_looked_up_unless_a_view_wants_it(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Dataset, "sector_mask")
    with open_feed(dataset) as feed:
        feed.batch(moment(feed, 0))
    with pytest.raises(AttributeError, match="sector_mask"):
        sectors_of(dataset)


def test_a_batch_larger_than_an_epoch_is_refused_with_both_numbers(dataset: Dataset) -> None:
    with pytest.raises(ApicalError, match=r"batch of 64.*20 samples of 5 clips.*batch_size=20.*per_clip=13"):
        open_feed(dataset, batch_size=64)


def test_a_batch_that_can_not_be_shared_equally_is_refused(feed: Feed) -> None:
    with pytest.raises(ApicalError, match="multiple of 4"):
        feed.batch(moment(feed, 0), 0, 4)


class Counting(FrameStore):
    """Keeps which frames were staged, and in which thread."""

    def stage(self, clips: np.ndarray, frames: np.ndarray) -> Tensor:
        self.__dict__.setdefault("threads", []).append(threading.get_ident())
        return super().stage(clips, frames)


@pytest.mark.parametrize(("rank", "world", "accumulate", "wrong"), [(0, 1, 1, 0), (1, 2, 1, 0), (1, 2, 3, 3)])
def test_parts_are_staged_away_from_the_main_thread_and_once_when_the_habit_is_known(
    dataset: Dataset, rank: int, world: int, accumulate: int, wrong: int
) -> None:
    clips = dataset.usable_clips
    store = Counting.open(dataset, clips)
    asked = 0
    with open_feed(dataset, store=store) as feed:
        last = feed.steps_per_epoch * EPOCHS - 1
        for step in range(last + 1):
            for part in range(accumulate):
                feed.batch(moment(feed, step), part * world + rank, accumulate * world)
                asked += 1
    threads = store.__dict__["threads"]
    assert asked <= len(threads) <= asked + wrong  # a guess is wrong at most once a part
    assert threading.get_ident() not in threads


class Broken(FrameStore):
    """Fails from the third time on."""

    def stage(self, clips: np.ndarray, frames: np.ndarray) -> Tensor:
        count = self.__dict__["count"] = self.__dict__.get("count", 0) + 1
        if count > 2:
            raise ApicalError("The disk is gone", remedy="Fetch it.")
        return super().stage(clips, frames)


def test_a_failure_ahead_of_time_is_raised_when_its_batch_is_asked_for(dataset: Dataset) -> None:
    with open_feed(dataset, store=Broken.open(dataset, dataset.usable_clips)) as feed:
        feed.batch(moment(feed, 0))
        feed.batch(moment(feed, 1))
        for _ in range(2):
            with pytest.raises(ApicalError, match="The disk is gone"):
                feed.batch(moment(feed, 2))


def feed_threads() -> Sequence[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


def test_no_thread_is_left_behind(dataset: Dataset) -> None:
    before = len(feed_threads())
    with open_feed(dataset) as feed:
        feed.batch(moment(feed, 0))
        assert len(feed_threads()) == before + 1
    assert len(feed_threads()) == before


@pytest.mark.parametrize("where", ["disk", "ram", "device"])
def test_where_frames_are_kept_changes_no_batch(dataset: Dataset, feed: Feed, where: str) -> None:
    clips = dataset.usable_clips.filter(pl.col("num_frames") > 0)
    with open_feed(dataset, clips=clips, where=where) as other:
        assert_equal(feed.batch(moment(feed, 7)), other.batch(moment(other, 7)))
