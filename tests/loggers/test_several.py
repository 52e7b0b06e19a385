"""One logger for several places."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from apical.errors import ApicalError
from apical.loggers._several import open_loggers
from apical.loggers.tensorboard import TensorBoard


@pytest.mark.parametrize("names", [[], ["jsonl"], ["jsonl", "jsonl"]])
def test_the_lines_are_always_there_and_once(names: list[str], tmp_path: Path) -> None:
    logger = open_loggers(names, tmp_path, {}, 0)
    logger.log(1, {"loss": 0.5})
    logger.close()
    text = (tmp_path / "metrics.jsonl").read_text()
    assert [json.loads(line) for line in text.splitlines()] == [{"step": 1, "loss": 0.5}]


def test_figures_go_to_all_of_them(tmp_path: Path) -> None:
    logger = open_loggers(["tensorboard"], tmp_path, {}, 0)
    logger.log(1, {"loss": 0.5})
    logger.close()
    assert (tmp_path / "metrics.jsonl").stat().st_size > 0
    assert list((tmp_path / "tensorboard").iterdir())


def test_an_unknown_logger_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="Did you mean 'tensorboard'"):
        open_loggers(["tensorbord"], tmp_path, {}, 0)


def test_if_one_cannot_be_opened_none_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Path] = []
    monkeypatch.setattr(TensorBoard, "__init__", lambda self, folder, *_: setattr(self, "place", folder))
    monkeypatch.setattr(TensorBoard, "close", lambda self: closed.append(self.place))
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ApicalError, match="not installed"):
        open_loggers(["tensorboard", "wandb"], tmp_path, {}, 0)
    assert closed == [tmp_path]
