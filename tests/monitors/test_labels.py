"""Labels come from what the dataset knows; the images chosen are spread over patients, phases and echo views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from apical.dataset import TRACE_COLUMNS, Dataset, clip_schema
from apical.monitors._labels import choose_frames, labels_of
from tests.test_draft import card

ED, ES = 5, 11


def dataset_of(
    folder: Path, clips: Sequence[dict[str, Any]], traced: Sequence[int], words: Sequence[str] = ()
) -> Dataset:
    """A dataset of tables alone; the clips at places `traced` have their two phases traced."""
    rows = [
        {"patient": f"p{index}", "echo_view": "a4c", "num_frames": 40, "clip": f"c{index}", **clip}
        for index, clip in enumerate(clips)
    ]
    labels = [name for name in clips[0] if name not in {"patient", "echo_view", "num_frames"}]
    pl.DataFrame(rows, schema=clip_schema(labels, words)).write_parquet(folder / "clips.parquet")
    traces = [
        {"clip": f"c{index}", "frame": frame, "phase": phase, "structure": structure}
        for index in traced
        for frame, phase in ((ED, "ed"), (ES, "es"))
        for structure in ("lv", "la")
    ]
    pl.DataFrame(traces, schema=pl.Schema(TRACE_COLUMNS)).write_parquet(folder / "traces.parquet")
    return Dataset(folder, card())


def coded(
    dataset: Dataset, bank: Sequence[int], queries: Sequence[int], frame: int = 0
) -> list[dict[str, list[int]]]:
    """Labels of the clips at these places."""
    clips = dataset.usable_clips
    frames = [np.full(len(part), frame) for part in (bank, queries)]
    labels = labels_of(dataset, clips[list(bank)], clips[list(queries)], *frames)
    return [{name: codes.tolist() for name, codes in part.items()} for part in labels]


def test_traced_phases_are_chosen_and_balanced(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{} for _ in range(200)], range(200))
    rows, frames = choose_frames(dataset, dataset.usable_clips, 100)
    assert len(set(rows.tolist())) == 100
    assert 30 < int((frames == ED).sum()) < 70
    assert set(frames.tolist()) == {ED, ES}


def test_a_second_image_of_a_patient_comes_after_the_first_of_all(tmp_path: Path) -> None:
    clips = [{"patient": f"p{index // 3}"} for index in range(30)]
    dataset = dataset_of(tmp_path, clips, range(30))
    rows, frames = choose_frames(dataset, dataset.usable_clips, 30)
    patients, counts = np.unique(rows // 3, return_counts=True)
    assert len(patients) == 10
    assert set(counts.tolist()) == {3}
    assert len(set(rows.tolist())) == 30, "a patient's clips take turns before their second frame"
    everything = choose_frames(dataset, dataset.usable_clips, 1000)
    assert len({*zip(*(part.tolist() for part in everything), strict=True)}) == len(everything[0]) == 60
    assert frames.dtype == rows.dtype == np.int64


def test_echo_views_take_turns(tmp_path: Path) -> None:
    clips = [{"patient": f"p{index // 2}", "echo_view": ("a4c", "a2c")[index % 2]} for index in range(80)]
    dataset = dataset_of(tmp_path, clips, range(80))
    rows, _ = choose_frames(dataset, dataset.usable_clips, 40)
    assert 8 < int((rows % 2).sum()) < 32


def test_untraced_clips_give_a_few_spaced_frames_and_stills_one(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{"num_frames": 40}, {"num_frames": 1}, {"num_frames": 0}, {}], [3])
    rows, frames = choose_frames(dataset, dataset.usable_clips, 100)
    assert [*zip(rows.tolist(), frames.tolist(), strict=True)] == [
        *((0, frame) for frame in (5, 15, 25, 35)), (1, 0), (3, ED), (3, ES)
    ]  # fmt: skip


def test_the_choice_is_the_same_again_and_knows_only_the_clips_given(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{} for _ in range(30)], range(0, 30, 2))
    some = dataset.usable_clips[10:20]
    first, again = (choose_frames(dataset, some, 12) for _ in range(2))
    assert [part.tolist() for part in first] == [part.tolist() for part in again]
    assert first[0].max() < 10


def test_a_phase_is_known_where_it_is_traced(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{}, {}, {}], [0, 2])
    clips = dataset.usable_clips[[0, 0, 0, 1, 2]]
    frames = np.array([ES, ED, 7, ED, ES])
    bank, queries = labels_of(dataset, clips, clips, frames, frames)
    assert bank["phase"].tolist() == queries["phase"].tolist() == [1, 0, -1, -1, 1]


def test_words_are_classes_and_unknown_is_none(tmp_path: Path) -> None:
    clips = [
        {"echo_view": view, "as_grade": grade}
        for view, grade in (("a2c", "none"), ("plax", "severe"), ("unknown", None), ("psax", "mild"))
    ]
    dataset = dataset_of(tmp_path, clips, [], words=["as_grade"])
    bank, queries = coded(dataset, [0, 1, 2], [3, 2, 0])
    assert bank == {"echo_view": [0, 1, -1], "as_grade": [1, 2, -1]}
    assert queries == {"echo_view": [2, -1, 0], "as_grade": [0, -1, 1]}


def test_numbers_are_cut_into_thirds_of_the_bank(tmp_path: Path) -> None:
    values = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, None, float("nan"), -5.0, 35.0, 99.0]
    dataset = dataset_of(tmp_path, [{"ef_percent": value} for value in values], [])
    bank, queries = coded(dataset, range(8), [8, 9, 10, 6])
    assert bank == {"ef_percent": [0, 0, 1, 1, 2, 2, -1, -1]}
    assert queries == {"ef_percent": [0, 1, 2, -1]}


def test_a_label_with_one_class_in_the_bank_is_left_out(tmp_path: Path) -> None:
    clips = [{"ef_percent": value, "edv_ml": None} for value in (50.0, 50.0, 60.0)]
    dataset = dataset_of(tmp_path, clips, [])
    assert coded(dataset, [0, 1], [2]) == [{}, {}]


@pytest.mark.parametrize("layout", ["echonet_dynamic"])
def test_a_dataset_on_disk_gives_phase_and_volumes(
    phantom_dataset: Callable[..., Dataset], layout: str
) -> None:
    dataset = phantom_dataset(layout)
    rows, frames = choose_frames(dataset, dataset.usable_clips, 16)
    clips = dataset.usable_clips[rows]
    bank, queries = labels_of(dataset, clips, clips, frames, frames)
    assert set(bank) == set(queries) == {"phase", "ef_percent", "esv_ml", "edv_ml"}
    assert bank["phase"].bincount().tolist() == [8, 8]
    assert len(clips) == 16
