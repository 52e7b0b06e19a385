"""The tables of the study on real patients, from cells that are made up: only figures go in, and only they come out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

STUDIES = Path(__file__).parents[2] / "studies"
ABOUT = {
    "data": "Made up",
    "licence": "none",
    "citation": "Nobody.",
    "patients": {"train": 40, "val": 5},
    "plan": {"image": 32},
}


def cell(start: str, labels: str, draw: int, dice: float) -> dict[str, Any]:
    random = np.random.default_rng(draw)
    return {
        "start": start,
        "labels": labels,
        "draw": draw,
        "steps": 10,
        "seconds": 1,
        "device": "cpu",
        "versions": {"torch": "2"},
        "patients": [0, 0, 1, 1, 2, 2],
        "dice": (dice + random.uniform(-0.01, 0.01, 6)).tolist(),
        "hd95_mm": 5.0,
        "ef_mae": 6.0,
        "ef_bias": 1.0,
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "cells").mkdir()
    made = [cell("phantom", "0", 0, 0.7), cell("random", "4", 0, 0.8), cell("random", "4", 1, 0.82)]
    made += [cell("phantom", "4", 0, 0.9), cell("phantom", "all", 0, 0.95)]
    for index, one in enumerate(made):
        (tmp_path / "cells" / f"{index}.json").write_text(json.dumps(one))
    places = f"Path({str(tmp_path)!r}), Path({str(tmp_path / 'out')!r})"
    script = "from pathlib import Path; from camus_tables import write_tables; "
    script += f"write_tables({places}, {ABOUT!r})"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=STUDIES)
    return tmp_path / "out"


def test_each_start_and_amount_has_a_line_with_its_draws(out: Path) -> None:
    lines = json.loads((out / "label-efficiency.json").read_text())["lines"]
    by_cell = {(line["start"], line["labels"]): line for line in lines}
    assert set(by_cell) == {("phantom", "0"), ("phantom", "4"), ("phantom", "all"), ("random", "4")}
    random = by_cell["random", "4"]
    assert random["draws"] == 2
    assert random["dice"] == pytest.approx(np.mean(random["by_draw"]), abs=1e-4)
    assert random["low"] <= random["dice"] <= random["high"]


def test_the_table_and_the_plot_are_written(out: Path) -> None:
    table = (out / "label-efficiency.table.md").read_text()
    assert "| random | 4 | 2 |" in table
    assert (out / "label-efficiency.png").stat().st_size > 10_000
