"""A dataset opens only when it is complete, and gives frames and masks without copying what is not asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apical.dataset import Dataset, clip_schema
from apical.errors import ApicalError
from tests.test_draft import build


def test_a_folder_without_its_card_is_unfinished(tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="apical ingest"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", "[]", "\xff"])
def test_a_broken_card_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text, encoding="latin-1")
    with pytest.raises(ApicalError, match=r"dataset\.json"):
        Dataset.open(tmp_path)


def test_frames_are_a_view_of_the_file(tmp_path: Path) -> None:
    dataset = build(tmp_path / "d")
    frames = dataset.clip_frames("c2")
    assert frames.base is not None
    assert not frames.flags.writeable


def test_masks_come_back_from_their_runs(tmp_path: Path) -> None:
    dataset = build(tmp_path / "d")
    mask = dataset.trace_mask(dataset.traces.row(0, named=True))
    assert mask.shape == (4, 5)
    assert mask.ravel().tolist() == [False] * 3 + [True] * 17


def test_a_dataset_without_a_known_sector_is_all_sector(tmp_path: Path) -> None:
    assert bool(np.all(build(tmp_path / "d").sector_mask("c0")))


def test_an_unknown_clip_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="Did you mean"):
        build(tmp_path / "d").clip_frames("cc2")


def test_label_columns_stand_between_the_sector_and_the_exclusion() -> None:
    names = list(clip_schema(["ef_percent"], []))
    assert names[-2:] == ["ef_percent", "excluded"]
