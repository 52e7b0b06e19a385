"""The scores artifact: what is written comes back, and what is damaged or missing is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from apical.errors import ApicalError
from apical.scores import ScoreCard, Scores

FIGURES = {"dice": True, "hd95": False}


def written(
    folder: Path,
    dice: dict[str, list[float]],
    *,
    data: str = "a",
    structures: tuple[str, ...] = ("lv",),
    **changes: Any,
) -> Scores:
    """Scores of images by patient; figures of each structure are a little lower than those of the one before."""
    rows = [
        {
            "clip": f"{patient}-a4c",
            "frame": frame,
            "patient": patient,
            "structure": structure,
            "dice": value - 0.05 * place,
            "hd95": 10 * (1 - value) if value else float("nan"),
        }
        for patient, values in dice.items()
        for frame, value in enumerate(values)
        for place, structure in enumerate(structures)
    ]
    settings: dict[str, Any] = {
        "task": "lv_segmentation",
        "run": {"name": folder.name},
        "data": {
            "title": "Painted hearts",
            "content_sha256": data,
            "split": "test",
            "is_synthetic": True,
            "unit": "images",
        },
        "licences": ("data: none needed",),
        "keys": ("clip", "frame", "structure"),
        "parts": ("structure",),
        "cluster": "patient",
        "ranking": None,
        "figures": FIGURES,
        "summary": {"low": float("nan"), "inner": [{"high": float("inf"), "value": 0.5}]},
        "versions": {},
        "remarks": ("a remark",),
    }
    folder.mkdir(parents=True)
    card = ScoreCard(**{**settings, **changes})
    return Scores.write(folder, card, pl.DataFrame(rows), pl.DataFrame({"clip": ["c"], "runs": [[1, 2]]}))


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    before = written(tmp_path / "scores", {"p0": [0.9, 0.8], "p1": [0.0]})
    after = Scores.open(tmp_path / "scores")
    assert after.table.equals(before.table)
    assert after.found.equals(before.found)
    assert after.table["hd95"].is_nan().sum() == 1
    for name in ("task", "run", "data", "licences", "keys", "cluster", "figures", "remarks", "notice"):
        assert getattr(after.card, name) == getattr(before.card, name)
    assert next(iter(after.card.figures)) == "dice"


def test_the_summary_is_json_that_any_reader_takes(tmp_path: Path) -> None:
    written(tmp_path / "scores", {"p0": [0.9]})

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    values = json.loads((tmp_path / "scores" / "summary.json").read_text(), parse_constant=refuse)
    assert values["summary"] == {"low": None, "inner": [{"high": None, "value": 0.5}]}
    assert values["notice"] == "Research use only. Not a medical device."


def test_the_summary_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dumps", stop)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "scores", {"p0": [0.9]})
    monkeypatch.undo()
    with pytest.raises(ApicalError, match=r"no summary\.json"):
        Scores.open(tmp_path / "scores")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"task": "lv"}', "\x00\x01"])
def test_a_damaged_summary_is_refused(text: str, tmp_path: Path) -> None:
    written(tmp_path / "scores", {"p0": [0.9]})
    (tmp_path / "scores" / "summary.json").write_text(text)
    with pytest.raises(ApicalError, match=r"summary of these scores can't be read.*apical evaluate"):
        Scores.open(tmp_path / "scores")


@pytest.mark.parametrize("change", [{"surprise": 1}, {"keys": 3}])
def test_a_summary_of_another_kind_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    written(tmp_path / "scores", {"p0": [0.9]})
    path = tmp_path / "scores" / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ApicalError, match="can't be read"):
        Scores.open(tmp_path / "scores")


def test_no_scores_are_refused_with_what_to_name(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ApicalError, match=r"no summary\.json.*'apical evaluate' wrote"):
            Scores.open(folder)


@pytest.mark.parametrize("name", ["table", "found"])
def test_a_table_that_is_damaged_or_missing_is_refused(name: str, tmp_path: Path) -> None:
    written(tmp_path / "scores", {"p0": [0.9]})
    path = tmp_path / "scores" / {"table": "scores.parquet", "found": "masks.parquet"}[name]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ApicalError, match=f"{path.name}: .*can't be read.*apical evaluate"):
        getattr(Scores.open(tmp_path / "scores"), name)
    path.unlink()
    with pytest.raises(ApicalError, match=f"{path.name}: .*can't be read.*apical evaluate"):
        getattr(Scores.open(tmp_path / "scores"), name)
