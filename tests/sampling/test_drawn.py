"""Clips of labelled studies: every video, or study, as often as promised, and no frame that is not there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apical.sampling._drawn import DrawnClips, DrawnClipsConfig

ROWS = np.array([2, 5, 6, 9])
LENGTHS = np.array([40, 12, 3, 25])
STUDIES = np.array([7, 7, 8, 7])


def rule(videos: int = 1, fewest: int = 1) -> DrawnClips:
    config = DrawnClipsConfig(frames=5, stride=2, videos=videos, fewest=fewest)
    return DrawnClips(config, ROWS, LENGTHS, STUDIES)


def drawn(of: DrawnClips, seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    samples = of.draw(np.random.default_rng(seed))
    assert len(samples) == of.num_samples
    return samples.clips, samples.frames


def test_each_video_is_shown_as_often_as_any_other() -> None:
    assert rule().num_samples == 4
    clips, frames = drawn(rule(fewest=9))
    assert sorted(clips[:, 0].tolist()) == sorted(3 * ROWS.tolist())
    assert frames.shape == (12, 1, 5)


def test_frames_are_those_of_the_video_and_begin_elsewhere_each_time() -> None:
    of = rule(fewest=400)
    clips, frames = drawn(of)
    lengths = dict(zip(ROWS.tolist(), LENGTHS.tolist(), strict=True))
    for row, shown in zip(clips[:, 0].tolist(), frames[:, 0], strict=True):
        assert shown.min() >= 0
        assert shown.max() < lengths[row]
    longest = frames[clips[:, 0] == 2][:, 0, 0]
    assert (longest.min(), longest.max()) == (0, 31)
    assert not np.array_equal(frames, drawn(of, 1)[1])


def test_of_a_study_several_videos_are_shown_together() -> None:
    of = rule(videos=2, fewest=40)
    clips, frames = drawn(of)
    assert clips.shape == (40, 2)
    assert frames.shape == (40, 2, 5)
    of_seven = clips[clips[:, 0] != 6]
    assert all(len(set(pair)) == 2 for pair in of_seven.tolist())
    assert {row for pair in of_seven.tolist() for row in pair} == {2, 5, 9}


def test_a_study_with_one_video_shows_other_clips_of_it() -> None:
    clips, _ = drawn(rule(videos=3, fewest=2))
    assert clips[(clips == 6).any(axis=1)].tolist() == [[6, 6, 6]]


def test_short_videos_are_counted() -> None:
    assert rule().remark == (
        "1 clips are too short for 5 frames at stride 2 and show theirs closer together, or forth and back"
    )
