"""What MLflow is told: against a stand-in for its client, and against MLflow itself where it is installed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from apical.errors import ApicalError
from apical.loggers._run_id import find_run_id
from apical.loggers.mlflow import MLflow

SETTINGS = {"epochs": 3, "views": {"pair": {"size": 64}}, "note": "x" * 900}


class ServerError(Exception):
    """Stands for mlflow's own."""


@dataclass
class Server:
    """A tracking server in a few lines; it can be cut off."""

    runs: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    is_down: bool = False

    def get_experiment_by_name(self, _: str) -> None:
        self.answer()

    def create_experiment(self, name: str) -> str:
        return name

    def create_run(self, experiment: str, run_name: str) -> SimpleNamespace:
        run_id = f"run-{len(self.runs)}"
        self.runs[run_id] = [("begin", experiment, run_name)]
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id))

    def update_run(self, run_id: str, status: str) -> None:
        self.answer()
        self.runs[run_id].append((status,))

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
        self.answer()
        assert len(params) <= 100
        self.runs[run_id] += [(name, value, step) for name, value, _, step in metrics]
        self.runs[run_id] += params

    def set_terminated(self, run_id: str) -> None:
        self.answer()
        self.runs[run_id].append(("FINISHED",))

    def answer(self) -> None:
        if self.is_down:
            raise ServerError("no answer\nand a long story")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A stand-in for MLflow and its server."""
    server = Server()
    parts: dict[str, dict[str, Any]] = {
        "mlflow": {},
        "mlflow.exceptions": {"MlflowException": ServerError},
        "mlflow.tracking": {"MlflowClient": lambda: server},
        "mlflow.entities": {"Metric": lambda *values: values, "Param": lambda *values: values},
    }
    for name, contents in parts.items():
        module = ModuleType(name)
        module.__dict__.update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    return server


def test_a_run_knows_its_settings_and_figures(server: Server, tmp_path: Path) -> None:
    logger = MLflow(tmp_path, SETTINGS, 0)
    logger.log(4, {"loss": 0.5, "lr": 0.25})
    logger.close()
    assert server.runs[find_run_id(tmp_path, "mlflow") or ""] == [
        ("begin", "apical", tmp_path.name),
        ("epochs", "3"),
        ("views.pair.size", "64"),
        ("note", "x" * 500),
        ("RUNNING",),
        ("loss", 0.5, 4),
        ("lr", 0.25, 4),
        ("FINISHED",),
    ]


def test_many_settings_are_sent_in_parts(server: Server, tmp_path: Path) -> None:
    MLflow(tmp_path, {f"setting{number}": number for number in range(250)}, 0)
    assert len(server.runs["run-0"]) == 250 + 2


def test_a_run_that_resumes_is_the_same_run(server: Server, tmp_path: Path) -> None:
    MLflow(tmp_path, SETTINGS, 0).close()
    logger = MLflow(tmp_path, SETTINGS, 4)
    logger.log(5, {"loss": 0.5})
    assert len(server.runs) == 1
    assert server.runs["run-0"][-3:] == [("FINISHED",), ("RUNNING",), ("loss", 0.5, 5)]


def test_training_outlives_the_server(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = MLflow(tmp_path, SETTINGS, 0)
    server.is_down = True
    for step in (1, 2):
        logger.log(step, {"loss": 0.5})
    logger.close()
    assert capsys.readouterr().err.count("training goes on without it") == 1


def test_a_server_that_never_answers_is_told_of_at_once(server: Server, tmp_path: Path) -> None:
    server.is_down = True
    with pytest.raises(ApicalError, match=r"Seen: no answer\. Set MLFLOW_TRACKING_URI"):
        MLflow(tmp_path, SETTINGS, 0)
    assert find_run_id(tmp_path, "mlflow") is None


@pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra 'mlflow' is not installed")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_mlflow_itself_has_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tmp_path.joinpath("server").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for after_step in (0, 2):
        logger = MLflow(tmp_path, SETTINGS, after_step)
        for step in (after_step + 1, after_step + 2):
            logger.log(step, {"loss": step / 8})
        logger.close()
    run_id = find_run_id(tmp_path, "mlflow")
    history = MlflowClient().get_metric_history(run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [(step, step / 8) for step in range(1, 5)]
    run = MlflowClient().get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["views.pair.size"] == "64"
