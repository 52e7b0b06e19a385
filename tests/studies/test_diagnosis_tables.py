"""The table of diagnoses: means over draws, the paper's cells beside ours, and never a figure that was not measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apical.dataset import Dataset
from tests.tasks.painted import painted

FOLDER = Path(__file__).parents[2] / "studies"
STUDIES = 30


@pytest.fixture(autouse=True)
def findable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


def cell(start: str, seed: int, help_of: float, disease: str = "lvh", labels: str = "10%") -> dict[str, Any]:
    """What a cell of the study has, of beliefs that are better the more they are helped."""
    random = np.random.default_rng([seed, 7])
    truths = np.arange(STUDIES) % 3 == 0
    beliefs = 1 / (1 + np.exp(-(random.normal(size=STUDIES) + help_of * truths)))
    figure = {"value": help_of / 4, "low": 0.0, "high": 1.0}
    return {
        "start": start,
        "disease": disease,
        "labels": labels,
        "seed": seed,
        "studies": 12,
        "auroc": figure,
        "auprc": figure,
        "balanced_accuracy": 0.5,
        "ece": 0.1,
        "patients": [f"p{number}" for number in range(STUDIES)],
        "probabilities": beliefs.tolist(),
        "truths": truths.astype(int).tolist(),
        "device": "cpu",
    }


def tables_of(cells: list[dict[str, Any]], dataset: Dataset, out: Path) -> str:
    from diagnosis_tables import write_tables

    return write_tables(cells, dataset, out)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return painted(tmp_path / "dataset")


def test_draws_are_averaged_and_compared_with_random(dataset: Dataset, tmp_path: Path) -> None:
    cells = [
        cell(start, seed, gain) for start, gain in (("random", 0.4), ("echoclr", 3.0)) for seed in (0, 1)
    ]
    table = tables_of(cells, dataset, tmp_path / "out")
    random, echoclr = json.loads((tmp_path / "out" / "label-efficiency.json").read_text())["lines"]
    assert (random["start"], echoclr["start"]) == ("random", "echoclr")
    assert echoclr["draws"] == 2
    assert echoclr["auroc"] == pytest.approx(0.75)
    assert "gain" not in random
    assert echoclr["gain"]["value"] == pytest.approx(
        echoclr["of_mean"]["value"] - random["of_mean"]["value"], abs=1e-6
    )
    assert table.startswith("**Synthetic data.**")
    assert "paper, real data: severe aortic stenosis" in table
    assert (tmp_path / "out" / "label-efficiency.png").stat().st_size > 1000


def test_only_draws_that_random_has_too_are_compared(dataset: Dataset, tmp_path: Path) -> None:
    cells = [cell("random", 0, 0.4), cell("simclr", 0, 1.0)]
    gains = []
    extras: list[list[dict[str, Any]]] = [[], [cell("simclr", 1, 3.0)], [cell("echoclr", 1, 3.0)]]
    for number, more in enumerate(extras):
        tables_of([*cells, *more], dataset, tmp_path / str(number))
        lines = json.loads((tmp_path / str(number) / "label-efficiency.json").read_text())["lines"]
        gains.append([line.get("gain", {}).get("value") for line in lines])
    assert gains[0][1] == gains[1][1]
    assert gains[2] == [*gains[0], None]


def test_a_draw_of_one_class_is_said_and_not_counted(dataset: Dataset, tmp_path: Path) -> None:
    alone = {"start": "random", "disease": "lvh", "labels": "1%", "seed": 0, "one_class": True}
    table = tables_of([alone], dataset, tmp_path / "out")
    assert "one class alone in each draw" in table
