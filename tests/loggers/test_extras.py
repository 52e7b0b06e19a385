"""Loggers that come with extras: without them one line says what to install, with them figures arrive."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from apical import registry
from apical.errors import ApicalError
from apical.loggers._run_id import find_run_id, keep_run_id
from apical.loggers.base import Logger

EXTRAS = {"tensorboard": "TensorBoard", "mlflow": "MLflow", "wandb": "Weights & Biases"}
SETTINGS = {"epochs": 3, "optimiser": {"name": "adam", "lr": 0.5}}


def opened(name: str, folder: Path, after_step: int = 0) -> Logger:
    logger: Logger = registry.load("loggers", name)(folder, SETTINGS, after_step)
    return logger


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_extra_is_told_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = [module for module in sys.modules if module.split(".")[0] == name]
    for module in {name, f"torch.utils.{name}", *loaded}:
        monkeypatch.setitem(sys.modules, module, None)  # as Python has it for what can't be imported
    with pytest.raises(ApicalError) as error:
        opened(name, tmp_path)
    told = str(error.value)
    assert told.startswith(f"{EXTRAS[name]} is not installed.")
    assert told.endswith(f"Install it: pip install 'apical[{name}]'.")
    assert "\n" not in told
    assert list(tmp_path.iterdir()) == []


def test_every_logger_but_the_lines_is_an_extra() -> None:
    assert set(registry.names("loggers")) == {"jsonl", *EXTRAS}


def read_back(folder: Path, name: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_tensorboard_has_each_step_once_after_a_resumption(tmp_path: Path) -> None:
    for steps, after_step in ((range(1, 8), 0), (range(5, 10), 4)):
        logger = opened("tensorboard", tmp_path, after_step)
        for step in steps:
            logger.log(step, {"loss": step / 8 + after_step})
        logger.close()
    expected = [(step, step / 8) for step in range(1, 5)] + [(step, step / 8 + 4) for step in range(5, 10)]
    assert read_back(tmp_path, "loss") == expected


def test_tensorboard_has_a_figure_at_once(tmp_path: Path) -> None:
    logger = opened("tensorboard", tmp_path)
    logger.log(1, {"loss": 0.5})
    assert read_back(tmp_path, "loss") == [(1, 0.5)]
    logger.close()


def test_the_id_of_a_run_is_found_again(tmp_path: Path) -> None:
    assert find_run_id(tmp_path, "mlflow") is None
    keep_run_id(tmp_path, "mlflow", "a1b2")
    keep_run_id(tmp_path, "wandb", "c3d4")
    assert (find_run_id(tmp_path, "mlflow"), find_run_id(tmp_path, "wandb")) == ("a1b2", "c3d4")
    assert not list(tmp_path.glob("*.part"))
