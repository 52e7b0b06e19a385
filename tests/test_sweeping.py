"""Sweeps: every value is tried, held-out patients choose, and the run that is left is the one they chose."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.finetune import finetune
from apical.models import model_of
from apical.run import Run
from apical.sweeping import Sweep
from tests.tasks.painted import painted
from tests.test_finetune import TINY

VALUES = ("1e-9", "0.003")
SCORED = [*TINY, "epochs=4", "score=val_loss", "average=null"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset")


@pytest.fixture(scope="module")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return learnt(dataset, tmp_path_factory.mktemp("runs") / "run")


def learnt(dataset: Dataset, out: Path, *overrides: str, resume: bool = False) -> Run:
    return finetune(
        "lv_segmentation",
        out,
        data=dataset.folder,
        sweep=f"optimiser.lr={','.join(VALUES)}",
        resume=resume,
        overrides=[*SCORED, *overrides],
    )


def test_the_best_of_all_is_left(run: Run) -> None:
    candidates = {value: Run.open(run.folder / "candidates" / value) for value in VALUES}
    losses = {value: each.card.best["val_loss"] for value, each in candidates.items()}
    assert losses["0.003"] < losses["1e-9"]
    assert run.config["optimiser"]["lr"] == 0.003
    assert run.card.best == candidates["0.003"].card.best
    theirs = candidates["0.003"].weights()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in run.weights().items())


def test_it_says_who_was_chosen_and_how_to_do_it_again(run: Run) -> None:
    assert run.card.remarks[-1].startswith(
        "optimiser.lr=0.003 was chosen by val_loss of held-out patients (1e-9"
    )
    assert "--sweep optimiser.lr=1e-9,0.003" in run.card.command
    assert "candidates" not in run.card.command
    assert model_of(run).size == (32, 32)


def test_a_finished_one_that_is_resumed_stays_as_it_is(run: Run, dataset: Dataset) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    assert learnt(dataset, run.folder, resume=True).card == run.card
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")} == before


def test_where_it_stopped_before_choosing_nothing_is_trained_again(run: Run, dataset: Dataset) -> None:
    card = run.folder / "run.json"
    text = card.read_text(encoding="utf-8")
    card.unlink()
    last = run.folder / "candidates" / "0.003" / "checkpoints" / "last.safetensors"
    trained = last.stat().st_mtime_ns
    learnt(dataset, run.folder, resume=True)
    assert last.stat().st_mtime_ns == trained
    assert card.read_text(encoding="utf-8") == text


def test_without_a_figure_to_choose_by_it_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="no figure 'last'"):
        learnt(dataset, tmp_path / "run", "score=last", "epochs=1")


@pytest.mark.parametrize("text", ["optimiser.lr", "optimiser.lr=1", "=1,2", "optimiser.lr=1,1", "a=,"])
def test_what_is_no_sweep_is_refused(text: str) -> None:
    with pytest.raises(ApicalError, match="no setting with several values"):
        Sweep.read(text)
