"""Nobody who is learnt from is used to watch learning, and the test split is never touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from apical.cohorts import cohorts_of
from apical.dataset import Dataset
from apical.errors import ApicalError
from tests.sampling.tiny import tiny_dataset


def split_into(folder: Path, splits: Sequence[str], clips_each: int = 1) -> Dataset:
    """A dataset with one patient for each split named."""
    patients = [f"p{index}" for index in range(len(splits)) for _ in range(clips_each)]
    split = [each for each in splits for _ in range(clips_each)]
    return tiny_dataset(folder, [1] * len(patients), patient=patients, split=split)


def patients(clips: pl.DataFrame) -> set[str]:
    return set(clips["patient"])


def test_the_official_validation_patients_are_held_out(phantom_dataset: Callable[..., Dataset]) -> None:
    dataset = phantom_dataset("echonet_dynamic")
    cohorts = cohorts_of(dataset)
    assert set(cohorts.training["split"]) == {"train"}
    assert set(cohorts.held_out["split"]) == {"val"}
    assert len(cohorts.training) + len(cohorts.held_out) == (dataset.usable_clips["split"] != "test").sum()


def test_clips_without_a_split_are_learnt_from(tmp_path: Path) -> None:
    cohorts = cohorts_of(split_into(tmp_path, ["train", "none", "val", "test"]))
    assert patients(cohorts.training) == {"p0", "p1"}
    assert patients(cohorts.held_out) == {"p2"}


def test_without_validation_patients_a_share_is_held_out_with_all_its_clips(tmp_path: Path) -> None:
    dataset = split_into(tmp_path, ["train"] * 20 + ["none"] * 20 + ["test"] * 5, clips_each=3)
    cohorts = cohorts_of(dataset)
    assert len(patients(cohorts.held_out)) == 4
    assert len(cohorts.held_out) == 12
    assert len(patients(cohorts.training)) == 36
    assert not patients(cohorts.training) & patients(cohorts.held_out)
    assert "test" not in {*cohorts.training["split"], *cohorts.held_out["split"]}


def test_the_share_is_the_same_every_time_and_a_larger_one_holds_the_smaller(tmp_path: Path) -> None:
    dataset = split_into(tmp_path / "a", ["none"] * 30)
    shuffled = tiny_dataset(tmp_path / "b", [1] * 30, patient=[f"p{index}" for index in reversed(range(30))])
    drawn = [patients(cohorts_of(dataset, share).held_out) for share in (0.1, 0.2, 0.5)]
    assert drawn[0] < drawn[1] < drawn[2]
    assert patients(cohorts_of(shuffled, 0.2).held_out) == drawn[1]


@pytest.mark.parametrize("share", [0.01, 1.0])
def test_at_least_one_patient_stands_on_either_side(tmp_path: Path, share: float) -> None:
    cohorts = cohorts_of(split_into(tmp_path, ["train"] * 3), share)
    assert patients(cohorts.training)
    assert patients(cohorts.held_out)


def test_a_share_of_0_learns_from_all_and_watches_nobody(tmp_path: Path) -> None:
    cohorts = cohorts_of(split_into(tmp_path, ["train", "none", "test"]), 0)
    assert patients(cohorts.training) == {"p0", "p1"}
    assert cohorts.held_out.is_empty()


def test_a_share_of_0_leaves_the_official_validation_patients_held_out(tmp_path: Path) -> None:
    cohorts = cohorts_of(split_into(tmp_path, ["train", "val"]), 0)
    assert (patients(cohorts.training), patients(cohorts.held_out)) == ({"p0"}, {"p1"})


def test_cohorts_that_may_overlap_keep_a_patient_on_both_sides(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path, [1] * 3, patient=["p0", "p0", "p1"], split=["train", "val", "train"])
    cohorts = cohorts_of(dataset, may_overlap=True)
    assert (patients(cohorts.training), patients(cohorts.held_out)) == ({"p0", "p1"}, {"p0"})


def test_a_patient_in_both_splits_is_not_learnt_from(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path, [1] * 3, patient=["p0", "p0", "p1"], split=["train", "val", "train"])
    assert patients(cohorts_of(dataset).training) == {"p1"}


@pytest.mark.parametrize("splits", [["train"], ["test", "test"], ["val", "val"], ["train", "test"]])
def test_too_few_patients_are_counted_by_split(tmp_path: Path, splits: list[str]) -> None:
    with pytest.raises(ApicalError, match=r"at least two patients.*Seen: \d in "):
        cohorts_of(split_into(tmp_path, splits))


def test_excluded_clips_belong_to_no_cohort(tmp_path: Path) -> None:
    reasons = [None, None, "it can't be read"]
    cohorts = cohorts_of(tiny_dataset(tmp_path, [1] * 3, excluded=reasons))
    assert patients(cohorts.training) | patients(cohorts.held_out) == {"p0", "p1"}
