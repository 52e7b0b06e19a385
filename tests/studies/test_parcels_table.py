"""Tables of parcels and views, from cells that are made up: the paper's rows beside ours, and synthetic said so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STUDIES = Path(__file__).parents[2] / "studies"
ABOUT: dict[str, Any] = {
    "data": "Made up",
    "licence": "none",
    "citation": "Nobody",
    "is_synthetic": True,
    "split": "test",
    "image": 32,
}
COLUMNS = ("lv_es", "lv_ed", "la_es", "la_ed")


def cell(draw: int, dice: float, labels: str = "20") -> dict[str, Any]:
    return {
        "encoder": "dino",
        "parcels": 64,
        "rule": "paper",
        "labels": labels,
        "draw": draw,
        "alive": 30.0,
        "stability": 0.9,
        "device": "cpu",
        "dice": {column: [dice, dice + 0.1, dice - 0.1] for column in COLUMNS},
        "patients": {column: [0, 1, 2] for column in COLUMNS},
    }


@pytest.fixture
def table(tmp_path: Path) -> str:
    (tmp_path / "cells").mkdir()
    for name, made in {"a": cell(0, 0.6), "b": cell(1, 0.7), "c": cell(0, 0.8, "all")}.items():
        (tmp_path / "cells" / f"{name}.json").write_text(json.dumps(made))
    where = f"Path({str(tmp_path)!r})"
    code = f"from pathlib import Path; from parcels_table import write_table; write_table({where}, {where}, {ABOUT!r})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=STUDIES)
    return (tmp_path / "parcels.table.md").read_text()


def test_draws_are_averaged_and_counted_and_rows_run_from_few_patients_to_all(table: str) -> None:
    first, second = (line for line in table.splitlines() if line.startswith("| dino"))
    assert first.startswith("| dino | 64 | paper | 20 | 2 | 65.00 (8.2)")
    assert second.startswith("| dino | 64 | paper | all | 1 | 80.00 (8.2)")


def test_the_papers_rows_stand_below_and_synthetic_data_are_called_so(table: str) -> None:
    assert table.startswith("**Synthetic data.**")
    assert (
        "| *paper: DINO ViT-S/4, EchoNet-Dynamic* | 64 | paper | all | 1 | 73.85 | 78.13 | 54.50 | 53.80 |"
        in table
    )
