"""Two videos of one study: different ones where there are, each study once, frames within their video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from apical.sampling.study_pairs import StudyPairs, StudyPairsConfig
from tests.sampling.tiny import tiny_dataset

LENGTHS = [9, 3, 1, 20, 6]
STUDIES = ["s1", "s1", "s2", "s1", "s3"]
PATIENTS = ["p1", "p1", "p1", "p1", "p2"]


def pairs(folder: Path, **settings: Any) -> StudyPairs:
    dataset = tiny_dataset(folder, LENGTHS, patient=PATIENTS, study=STUDIES)
    return StudyPairs(StudyPairsConfig(**settings), dataset, dataset.usable_clips)


def test_each_study_is_shown_as_often_whatever_videos_it_has(tmp_path: Path) -> None:
    for per_study in (1, 3):
        rule = pairs(tmp_path / str(per_study), per_study=per_study)
        drawn = rule.draw(np.random.default_rng(0))
        assert len(drawn) == rule.num_samples == 3 * per_study
        studies = [STUDIES[row] for row in drawn.clips[:, 0]]
        assert {name: studies.count(name) for name in studies} == dict.fromkeys(("s1", "s2", "s3"), per_study)


def test_both_videos_are_of_one_study_and_differ_where_it_has_two(tmp_path: Path) -> None:
    rule = pairs(tmp_path, per_study=50)
    drawn = rule.draw(np.random.default_rng(1))
    for first, second in drawn.clips.tolist():
        assert STUDIES[first] == STUDIES[second]
        assert (first != second) == (STUDIES[first] == "s1")


def test_every_ordered_pair_of_a_study_comes_about_equally_often(tmp_path: Path) -> None:
    drawn = pairs(tmp_path, per_study=3000).draw(np.random.default_rng(2))
    found = [tuple(pair) for pair in drawn.clips.tolist() if STUDIES[pair[0]] == "s1"]
    counts = {pair: found.count(pair) for pair in set(found)}
    assert len(counts) == 6
    assert max(counts.values()) < 1.25 * min(counts.values())


def test_frames_lie_within_their_video_and_starts_of_a_pair_differ(tmp_path: Path) -> None:
    drawn = pairs(tmp_path, frames=4, stride=2, per_study=40).draw(np.random.default_rng(3))
    assert drawn.frames.shape == (120, 2, 4)
    lengths = np.array(LENGTHS)[drawn.clips]
    assert (drawn.frames >= 0).all()
    assert (drawn.frames < lengths[..., None]).all()
    alone = drawn.frames[drawn.clips[:, 0] == 4]
    assert (alone[:, 0] != alone[:, 1]).any()


def test_the_same_state_draws_the_same_and_another_differs(tmp_path: Path) -> None:
    rule = pairs(tmp_path, per_study=20)
    first, same, other = (rule.draw(np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert (first.clips == same.clips).all()
    assert (first.frames == same.frames).all()
    assert (first.clips != other.clips).any()


def test_studies_with_one_video_are_counted(tmp_path: Path) -> None:
    assert pairs(tmp_path).remark == "2 of 3 studies have one video, of which both clips of a pair are"


def test_studies_of_two_patients_that_share_a_name_are_not_one(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path, [5, 5], patient=["a", "b"], study=["s1", "s1"])
    assert StudyPairs(StudyPairsConfig(), dataset, dataset.usable_clips).num_samples == 2


def test_all_pairs_may_be_shown_as_the_released_code_does(tmp_path: Path) -> None:
    rule = pairs(tmp_path, pairs="all")
    drawn = rule.draw(np.random.default_rng(0))
    shown = sorted(tuple(sorted(pair)) for pair in drawn.clips.tolist())
    assert shown == [(0, 1), (0, 3), (1, 3), (2, 2), (4, 4)]
    assert rule.num_samples == 5
