"""A run that is killed again and again ends with the very weights, optimiser state and figures of one that is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apical import registry
from apical.dataset import Dataset
from apical.tasks.base import TrainedTask
from tests.resume.killing import different_moments
from tests.tasks.painted import painted

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("APICAL_KILLS", "6"))
"""Of each training; `make kills` takes 20."""
TINY = [
    'backbone={"name": "vit_small", "patch": 8, "image_size": 32, "dim": 24, "depth": 2, "heads": 2, "drop_path": 0.2}',
    "sampling.name=frames",
    "sampling.per_clip=5",
    "batch_size=8",
    "epochs=8",
    "evaluate_every=4",
    "precision=32",
    "average=0.9",
    "log_every=2",
    "monitor_images=16",
    "checkpoint_seconds=0",
    "device=cpu",
]
SMALL = {
    "byol": ["method.hidden_features=16", "method.projected_features=8"],
    "dense": ["method.hidden_features=16", "method.projected_features=8"],
    "dino": ["method.prototypes=32", "views.local.count=2", "views.local.size=16"],
    "simclr": ["method.projected_features=8"],
    "mi_simclr": ["method.hidden_features=16", "method.projected_features=8"],
    "echoclr": ["method.hidden_features=16", "method.frames=2", "sampling.name=clips", "sampling.frames=2"],
    "raptor": ["method.head.parcels=8", "method.head.dropout=0.2"],
}
TAUGHT = {
    "lv_segmentation": ["network=unet", "backbone.width=4", "size=32"],
    "diagnosis": [
        "backbone=unet_encoder",
        "backbone.width=4",
        "size=32",
        "task.frames=2",
        "task.vote=attention",
    ],
}
TEACHING = [
    "labels=3",
    "consistency.begin=0.2",
    "average=0.9",
    "batch_size=4",
    "fewest_samples=12",
    "epochs=3",
    "precision=32",
    "log_every=1",
    "checkpoint_seconds=0",
    "device=cpu",
]
GROUPS = {"dino": ("wide", "other_wide"), "raptor": ("clip",)}


@pytest.mark.timeout(900)  # many starts, each of which a busy machine may make wait
@pytest.mark.parametrize("method", registry.names("methods"))
def test_a_killed_run_ends_with_the_very_weights_of_one_that_was_not(
    method: str, phantom_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    sizes = [f"views.{group}.size=32" for group in GROUPS.get(method, ("pair",))]
    words = [method, *TINY, *SMALL.get(method, []), *sizes]
    refuse_traces(killed_and_resumed(words, phantom_dataset("echonet_dynamic").folder, tmp_path))


@pytest.mark.parametrize(
    "task",
    [name for name in registry.names("tasks") if issubclass(registry.load("tasks", name), TrainedTask)],
)
def test_a_killed_finetuning_with_a_teacher_does_too(task: str, tmp_path: Path) -> None:
    data = painted(tmp_path / "dataset").folder
    refuse_traces(killed_and_resumed([task, *TAUGHT[task], *TEACHING], data, tmp_path))


def refuse_traces(found: dict[str, Any]) -> None:
    """No kill may have left any, however many there were and whenever they came."""
    assert found["differing"] == []
    assert len(found["steps_at_kill"]) >= KILLS
    moments = set(found["steps_at_kill"])
    assert len(moments) >= different_moments(KILLS), "the kills should come at different moments"


def killed_and_resumed(words: list[str], data: Path, out: Path) -> dict[str, Any]:
    """What `killing` found."""
    seed = os.environ.get("APICAL_KILL_SEED", "0")
    command = [sys.executable, "-m", "tests.resume.killing", str(data), str(out), str(KILLS), seed, *words]
    answer = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    found: dict[str, Any] = json.loads(answer.stdout)
    return found
