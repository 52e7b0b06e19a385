"""Frames strictly between the two traced phases, and a way out where there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.ingest import ingest
from apical.sampling.between_phases import BetweenPhases, BetweenPhasesConfig
from tests.sampling.tiny import tiny_dataset


def rule(dataset: Dataset) -> BetweenPhases:
    return BetweenPhases(BetweenPhasesConfig(), dataset, dataset.usable_clips)


def shown(sampling: BetweenPhases, epochs: int) -> dict[int, set[int]]:
    """The frames of each clip that so many epochs show."""
    frames: dict[int, set[int]] = {}
    for seed in range(epochs):
        samples = sampling.draw(np.random.default_rng(seed))
        assert len(samples) == sampling.num_samples
        for clip, frame in zip(samples.clips[:, 0].tolist(), samples.frames[:, 0, 0].tolist(), strict=True):
            frames.setdefault(clip, set()).add(frame)
    return frames


def test_all_frames_between_are_shown_in_time_and_no_other(tmp_path: Path) -> None:
    phases = {0: {"ed": 1, "es": 5}, 1: {"es": 2, "ed": 4}, 2: {"ed": 0, "es": 9}}
    sampling = rule(tiny_dataset(tmp_path, [10, 10, 10], phases=phases))
    assert shown(sampling, 200) == {0: {2, 3, 4}, 1: {3}, 2: set(range(1, 9))}
    assert sampling.remark is None


def test_clips_that_can_not_take_part_are_left_out_and_counted(tmp_path: Path) -> None:
    phases = {0: {"ed": 1, "es": 5}, 1: {"ed": 3, "es": 4}, 2: {"ed": 3}, 4: {"ed": 0, "es": 5}}
    is_cine = [True, True, True, True, False]
    sampling = rule(tiny_dataset(tmp_path, [10] * 5, phases=phases, is_cine=is_cine))
    assert set(shown(sampling, 3)) == {0}
    assert sampling.remark == (
        "4 of 5 clips are left out (no frame between the phases: 1, phases not traced: 2, stills: 1)"
    )


@pytest.mark.parametrize(("layout", "patients"), [("echonet_dynamic", 8), ("camus", 2)])
def test_a_traced_phase_is_never_shown(
    phantom_dataset: Callable[..., Dataset], layout: str, patients: int
) -> None:
    dataset = phantom_dataset(layout, patients)
    sampling = rule(dataset)
    names = dataset.usable_clips["clip"]
    phases = {(trace["clip"], trace["frame"]) for trace in dataset.traces.to_dicts() if trace["phase"]}
    frames = shown(sampling, 50)
    assert not {(names[clip], frame) for clip, found in frames.items() for frame in found} & phases
    for clip, found in frames.items():
        traced = [frame for name, frame in phases if name == names[clip]]
        assert min(traced) < min(found)
        assert max(found) < max(traced)


def test_a_subset_of_clips_is_counted_from_its_own_first_row(tmp_path: Path) -> None:
    phases = {0: {"ed": 1, "es": 5}, 2: {"ed": 6, "es": 9}}
    dataset = tiny_dataset(tmp_path, [10] * 3, phases=phases)
    sampling = BetweenPhases(BetweenPhasesConfig(), dataset, dataset.usable_clips[1:])
    assert shown(sampling, 50) == {1: {7, 8}}


def test_a_dataset_without_traces_is_told_what_to_use_instead(tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match=r"2 clips \(phases not traced: 2\).*sampling=frames"):
        rule(tiny_dataset(tmp_path, [10, 10]))


def test_the_stills_of_the_real_camus_are_told_what_to_use_instead(real_camus: Path, tmp_path: Path) -> None:
    source = tmp_path / "source" / "database_nifti"
    source.mkdir(parents=True)
    for patient in sorted((real_camus / "database_nifti").iterdir())[:3]:
        (source / patient.name).symlink_to(patient)
    dataset = ingest("camus", source.parent, tmp_path / "dataset", ["processes=1"])
    with pytest.raises(ApicalError, match=r"3 clips \(stills: 3\).*sampling=frames"):
        rule(dataset)
