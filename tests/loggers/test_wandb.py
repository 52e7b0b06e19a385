"""What Weights & Biases is told: against a stand-in, and against wandb itself where it is installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from apical.errors import ApicalError
from apical.loggers._run_id import find_run_id
from apical.loggers.wandb import WeightsAndBiases

SETTINGS = {"epochs": 3}


class ServiceError(Exception):
    """Stands for wandb's own."""


class Service(ModuleType):
    """wandb in a few lines: it notes what it is asked for."""

    errors = SimpleNamespace(Error=ServiceError)
    Settings: ClassVar[type[dict[str, Any]]] = dict

    def __init__(self) -> None:
        super().__init__("wandb")
        self.begun: list[dict[str, Any]] = []
        self.figures: list[dict[str, float]] = []
        self.axes: list[tuple[str, str | None]] = []
        self.finished = 0
        self.is_down = False

    def init(self, **wishes: Any) -> Any:
        if self.is_down:
            raise ServiceError("no key\nand a long story")
        self.begun.append(wishes)
        self.id = wishes["id"] or f"run-{len(self.begun)}"
        return self

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self.axes.append((name, step_metric))

    def log(self, figures: dict[str, float]) -> None:
        self.figures.append(figures)

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """A stand-in for wandb, in an environment that says nothing."""
    service = Service()
    monkeypatch.setitem(sys.modules, "wandb", service)
    for name in ("WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return service


def test_nothing_leaves_the_machine_unless_the_environment_says_so(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WeightsAndBiases(tmp_path, SETTINGS, 0)
    monkeypatch.setenv("WANDB_MODE", "online")
    WeightsAndBiases(tmp_path, SETTINGS, 0)
    assert [begun["mode"] for begun in service.begun] == ["offline", "online"]
    assert service.begun[0]["settings"] == {"console": "off", "disable_git": True, "disable_code": True}


def test_figures_stand_over_our_own_steps(service: Service, tmp_path: Path) -> None:
    """Its own count can't go back to the checkpoint."""
    logger = WeightsAndBiases(tmp_path, SETTINGS, 0)
    logger.log(4, {"loss": 0.5})
    logger.close()
    assert service.figures == [{"step": 4, "loss": 0.5}]
    assert ("*", "step") in service.axes
    assert service.begun[0]["config"] == SETTINGS
    assert service.finished == 1


def test_a_run_that_resumes_is_the_same_run(service: Service, tmp_path: Path) -> None:
    for after_step in (0, 4):
        WeightsAndBiases(tmp_path, SETTINGS, after_step).close()
    assert [begun["id"] for begun in service.begun] == [None, "run-1"]
    assert [begun["resume"] for begun in service.begun] == ["allow", "allow"]
    assert find_run_id(tmp_path, "wandb") == "run-1"


def test_a_service_that_refuses_is_told_of_in_one_line(service: Service, tmp_path: Path) -> None:
    service.is_down = True
    with pytest.raises(ApicalError, match=r"Seen: no key\. Run 'wandb login', or set WANDB_MODE=offline"):
        WeightsAndBiases(tmp_path, SETTINGS, 0)


@pytest.mark.skipif(find_spec("wandb") is None, reason="the extra 'wandb' is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wandb_itself_keeps_the_run_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for after_step in (0, 2):
        logger = WeightsAndBiases(tmp_path, SETTINGS, after_step)
        for step in (after_step + 1, after_step + 2):
            logger.log(step, {"loss": step / 8})
        logger.close()
    kept = list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert {path.name for path in kept} == {f"run-{find_run_id(tmp_path, 'wandb')}.wandb"}
