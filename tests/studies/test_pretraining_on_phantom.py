"""The study of pretraining, at its smallest: one command leaves its tables, and goes on where it stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apical.dataset import Dataset

SCRIPT = Path(__file__).parents[2] / "studies" / "pretraining_on_phantom.py"


@dataclass(frozen=True)
class Told:
    """What a run of the study leaves."""

    folder: Path
    data: Path
    tables: str
    written: dict[str, Any]


def study(folder: Path, data: Path, *words: str) -> None:
    what = [
        "--size",
        "tiny",
        "--data",
        str(data),
        "--out",
        str(folder),
        "--backbones",
        "unet_encoder",
        *words,
    ]
    answer = subprocess.run(
        [sys.executable, str(SCRIPT), *what],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert answer.returncode == 0, answer.stderr


@pytest.fixture(scope="module")
def told(phantom_dataset: Callable[..., Dataset], tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The smallest study: one method on one net."""
    folder, data = tmp_path_factory.mktemp("study"), phantom_dataset("echonet_dynamic", 24).folder
    study(folder, data, "--methods", "simclr")
    return Told(
        folder, data, (folder / "results.md").read_text(), json.loads((folder / "results.json").read_text())
    )


def test_trained_weights_stand_beside_both_kinds_of_random_ones_and_no_net(told: Told) -> None:
    methods = [row["method"] for row in told.written["rows"]]
    assert methods == ["no net", "random", "random, settled", "simclr"]
    trained = told.written["rows"][-1]
    assert {"phase gain", "area gain", "ejection gain", "2 gain", "8 gain"} <= set(trained)
    assert [row["seeds"] for row in told.written["rows"]] == [1, 3, 3, 1]


def test_the_tables_say_that_the_data_are_synthetic_and_what_it_ran_on(told: Told) -> None:
    assert "(synthetic)" in told.tables
    assert "torch" in told.tables


def test_what_is_finished_is_kept_and_another_seed_is_added(told: Told) -> None:
    before = {path: path.stat().st_mtime_ns for path in (told.folder / "cells").iterdir()}
    study(told.folder, told.data, "--methods", "simclr", "--seeds", "1")
    assert (
        before.items()
        <= {path: path.stat().st_mtime_ns for path in (told.folder / "cells").iterdir()}.items()
    )
    rows = json.loads((told.folder / "results.json").read_text())["rows"]
    assert rows[-1]["seeds"] == 2
    assert "phase deviation" in rows[-1]
