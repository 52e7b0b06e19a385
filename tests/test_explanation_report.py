"""What a reader is warned of, and how much a page holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apical.cases import Case
from apical.dataset import Dataset
from apical.explained import Explained
from apical.explanation_report import Explanations, report_explanations
from apical.run import Run, RunCard
from apical.sanity import Sanity
from tests.tasks.painted import painted

GOOD = Sanity((0.1,), (0.0,), (2.0, 1.0), (0.1, 0.2))
CARD = RunCard(
    stage="finetune",
    method="diagnosis",
    command="apical finetune diagnosis",
    data={},
    licences=("weights: none needed",),
    versions={},
    device="cpu",
    processes=1,
    precision="32",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset", splits=["test"])


def study(name: str, share: float | None, area: float) -> Explained:
    random = np.random.default_rng(0)
    return Explained(
        case=Case(name, "clip", 0, 0, "named", "yes", 1, "no", 0.75, 0.5),
        frames=(3, 5),
        pixels=random.integers(0, 255, (2, 20, 16), np.uint8),
        maps=random.random((2, 20, 16)),
        importance=np.array([0.25, 1.0]),
        aspect=1.1,
        sector_share=share,
        sector_area=area,
        structure_shares={"lv": 0.5} if share else {},
    )


def found(dataset: Dataset, share: float | None = 0.9, **changes: Any) -> Explanations:
    given: dict[str, Any] = {
        "run": Run(Path("run"), CARD),
        "dataset": dataset,
        "split": "test",
        "way": "occlusion",
        "grid": (7, 7),
        "studies": [study("one", share, 0.6), study("two", 0.8, 0.6)],
        "sanity": GOOD,
    }
    return Explanations(**{**given, **changes})


def test_what_is_well_needs_no_note(dataset: Dataset) -> None:
    assert found(dataset).notes == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sanity": Sanity((0.1,), (0.8,), (2.0,), (0.1,))}, "hardly depend on what was learnt"),
        ({"sanity": Sanity((0.1,), (0.1,), (0.1,), (0.2,))}, "counts no more for the answers"),
        ({"sanity": Sanity((0.1,), (0.1,), (-0.1,), (-0.2,))}, "counts no more for the answers"),
        ({"grid": (2, 7)}, "only 2 × 7 places apart"),
        ({"studies": [study("one", 0.3, 0.6)]}, r"\(30%\) than would by chance \(60%\)"),
        ({"share": None}, "nothing speaks for the answer"),
    ],
)
def test_what_is_not_is_said(dataset: Dataset, changes: dict[str, Any], words: str) -> None:
    (note,) = found(dataset, **changes).notes
    assert re.search(words, note)


def test_each_study_has_its_own_falls_and_structures(dataset: Dataset) -> None:
    table = found(dataset, share=None).table
    assert table["fall_salient_faded"].to_list() == [2.0, 1.0]
    assert table["fall_random_faded"].to_list() == [0.1, 0.2]
    assert table["sector_share"].to_list() == [None, 0.8]
    assert table["in_lv"].to_list() == [None, 0.5]
    assert table["most_important_frame"].to_list() == [5, 5]


def test_videos_that_a_page_can_not_hold_lie_beside_it(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apical.explanation_report.MOST_BYTES", 0)
    lines = report_explanations(found(dataset), tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "data:video" not in page
    for video in ("study-01.mp4", "study-02.mp4"):
        assert f'src="{video}"' in page
        assert (tmp_path / video).is_file()
    assert "one  says yes (0.75), is no; most in frame 5, 90% in the sector (60% of the picture)" in lines[1]
