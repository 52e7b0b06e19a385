"""Clips from videos of any length: evenly apart, from any start, and never a frame that is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from apical.sampling.clips import Clips, ClipsConfig, clip_frames
from tests.sampling.tiny import tiny_dataset

LENGTHS = [9, 1, 5, 3, 7]
COUNT, STRIDE = 4, 2


def rule(folder: Path, **settings: int) -> Clips:
    dataset = tiny_dataset(folder, LENGTHS)
    config = ClipsConfig.model_validate({"frames": COUNT, "stride": STRIDE, **settings})
    return Clips(config, dataset, dataset.usable_clips)


def all_starts(length: int, count: int, stride: int) -> npt.NDArray[np.int64]:
    """Clips from many starts, evenly spread over [0, 1)."""
    starts = np.linspace(0, 1, 1000, endpoint=False)
    return clip_frames(np.full(1000, length), count, stride, starts)


def forth_and_back(length: int, count: int) -> list[int]:
    """A walk from frame 0, a step at a time, that turns round at either end."""
    walk, step = [0], 1
    while len(walk) < count:
        if not 0 <= walk[-1] + step < length:
            step = -step
        walk.append(walk[-1] + step if length > 1 else 0)
    return walk


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_every_clip_is_made_of_frames_that_its_video_has(count: int, stride: int) -> None:
    for length in range(1, 60):
        found = all_starts(length, count, stride)
        assert found.shape == (1000, count)
        assert 0 <= found.min() <= found.max() < length


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("count", [2, 4, 16])
def test_long_videos_give_the_stride_and_reach_every_start(count: int, stride: int) -> None:
    span = (count - 1) * stride + 1
    for length in range(span, span + 12):
        found = all_starts(length, count, stride)
        assert (np.diff(found, axis=1) == stride).all()
        assert set(found[:, 0]) == set(range(length - span + 1))


@pytest.mark.parametrize(("count", "stride"), [(4, 2), (16, 2), (5, 7)])
def test_shorter_videos_have_their_frames_as_far_apart_as_fits(count: int, stride: int) -> None:
    for length in range(count, (count - 1) * stride + 1):
        found = all_starts(length, count, stride)
        closer = max(each for each in range(1, stride + 1) if (count - 1) * each + 1 <= length)
        assert closer < stride
        assert (np.diff(found, axis=1) == closer).all()
        assert set(found[:, 0]) == set(range(length - (count - 1) * closer))


@pytest.mark.parametrize("count", [4, 16])
def test_the_shortest_are_shown_forth_and_back(count: int) -> None:
    for length in range(1, count):
        found = all_starts(length, count, 2)
        assert (found == forth_and_back(length, count)).all()


def test_a_video_of_one_frame_shows_it_all_the_time() -> None:
    assert (all_starts(1, 16, 2) == 0).all()


def test_one_frame_is_any_frame() -> None:
    assert set(all_starts(7, 1, 2).ravel()) == set(range(7))


def test_starts_are_equally_likely() -> None:
    counts = np.bincount(all_starts(11, 4, 2)[:, 0])
    assert counts.max() - counts.min() <= 1


def test_each_video_is_shown_as_often_as_asked_for_within_itself(tmp_path: Path) -> None:
    sampling = rule(tmp_path, per_clip=3)
    drawn = sampling.draw(np.random.default_rng(0))
    assert len(drawn) == sampling.num_samples == 3 * len(LENGTHS)
    assert drawn.frames.shape == (15, 1, COUNT)
    assert sorted(drawn.clips[:, 0]) == sorted([*range(5)] * 3)
    assert (drawn.frames[:, 0].max(axis=1) < np.array(LENGTHS)[drawn.clips[:, 0]]).all()
    assert len(np.unique(drawn.frames[drawn.clips[:, 0] == 0], axis=0)) > 1


def test_a_draw_is_a_function_of_the_generator_alone(tmp_path: Path) -> None:
    sampling = rule(tmp_path, per_clip=9)
    first, other, again = (sampling.draw(np.random.default_rng(seed)) for seed in (5, 6, 5))
    np.testing.assert_array_equal(again.frames, first.frames)
    np.testing.assert_array_equal(again.clips, first.clips)
    assert not np.array_equal(other.frames, first.frames)


@pytest.mark.parametrize(("stride", "short"), [(1, 2), (2, 3), (3, 5)])
def test_videos_that_are_too_short_are_counted_once(tmp_path: Path, stride: int, short: int) -> None:
    remark = rule(tmp_path, stride=stride).remark
    assert (remark or "").startswith(f"{short} clips are too short for 4 frames at stride {stride}")
    assert rule(tmp_path / "b", stride=stride, per_clip=4).remark == remark


def test_where_all_are_long_enough_nothing_is_remarked(tmp_path: Path) -> None:
    assert rule(tmp_path, frames=1).remark is None
