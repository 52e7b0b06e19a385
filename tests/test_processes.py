"""Several processes that share a batch do what one process does with the whole of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from apical.dataset import Dataset
from apical.finetune import finetune
from apical.pretrain import pretrain
from apical.run import Run
from tests.tasks.painted import painted

ROOT = Path(__file__).parents[1]
SETTINGS = [
    'backbone={"name": "vit_small", "patch": 8, "image_size": 32, "dim": 24, "depth": 2, "heads": 2}',
    "method.projected_features=8",
    "sampling.name=frames",
    "sampling.per_clip=4",
    "views.pair.size=32",
    "batch_size=8",
    "epochs=2",
    "epoch_steps=2",
    "optimiser=sgd",
    "optimiser.lr=0.005",
    "schedule.warmup_epochs=0",
    "precision=32",
    "monitor_images=16",
    "device=cpu",
]
LEARNT = [
    SETTINGS[0],
    "network=linear",
    "size=32",
    "batch_size=8",
    "fewest_samples=16",
    "epochs=2",
    "epoch_steps=2",
    "optimiser=sgd",
    "optimiser.lr=0.05",
    "schedule.warmup_epochs=0",
    "consistency.begin=0",
    "average=null",
    "precision=32",
    "device=cpu",
]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "apical"]


def start(command: list[str], out: Path, data: Path, *options: str) -> Run:
    words = ["pretrain", "simclr", "--data", str(data), "--out", str(out), *options, *SETTINGS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, *command, *words], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.count("Trained simclr") == 1, "only the first process speaks"
    return Run.open(out)


def distance(run: Run, other: Run) -> dict[str, float]:
    weights, others = run.weights("last"), other.weights("last")
    return {name: float((weights[name] - others[name]).float().norm()) for name in weights}


def agree(run: Run, other: Run, beginning: Run) -> bool:
    """Whether they differ by no more than rounding, measured by how far training has moved each weight."""
    moved, apart = distance(run, beginning), distance(run, other)
    return all(apart[name] < 2e-3 * moved[name] + 1e-5 for name in moved)


@pytest.mark.timeout(300)
def test_two_processes_end_with_the_weights_of_one(
    phantom_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    data = phantom_dataset("echonet_dynamic").folder
    beginning = pretrain("simclr", tmp_path / "none", data=data, overrides=[*SETTINGS, "epochs=0"])
    one = start(["-m", "apical"], tmp_path / "one", data)
    two = start(["-m", "apical"], tmp_path / "two", data, "--devices", "2")
    assert two.card.processes == 2
    assert agree(one, two, beginning)
    assert max(distance(one, beginning).values()) > 1e-2
    torchrun = start(TORCHRUN, tmp_path / "torchrun", data)
    assert torchrun.card.processes == 2
    assert agree(one, torchrun, beginning)
    figures = [run.metrics[-1] for run in (one, two, torchrun)]
    assert figures[0]["loss"] == pytest.approx(figures[1]["loss"], rel=1e-3)
    assert figures[0]["loss"] == pytest.approx(figures[2]["loss"], rel=1e-3)


@pytest.mark.timeout(300)
def test_two_processes_learn_from_labels_and_a_teacher_what_one_does(tmp_path: Path) -> None:
    """But for the soft Dice, of which each process sees its own part of the batch."""
    data = painted(tmp_path / "dataset").folder
    beginning, one = (
        finetune("lv_segmentation", tmp_path / name, data=data, overrides=[*LEARNT, *changes])
        for name, changes in (("none", ["epochs=0"]), ("one", []))
    )
    words = ["finetune", "lv_segmentation", "--data", str(data), "--out", str(tmp_path / "two")]
    answer = subprocess.run(
        [sys.executable, "-m", "apical", *words, "--devices", "2", *LEARNT],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.count("Learnt lv_segmentation") == 1, "only the first process speaks"
    two = Run.open(tmp_path / "two")
    assert two.card.processes == 2
    assert agree(one, two, beginning)
    assert max(distance(one, beginning).values()) > 1e-3
    for name in ("loss", "disagreement", "val_loss", "val_dice"):
        assert one.metrics[-1][name] == pytest.approx(two.metrics[-1][name], rel=1e-3, abs=1e-4)
    assert (one.folder / "labels.json").read_bytes() == (two.folder / "labels.json").read_bytes()
