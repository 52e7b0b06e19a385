"""Runs that cut painted hearts into parcels, made in a few seconds: a small random transformer and a head of RAPTOR."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from apical.dataset import Dataset
from apical.evaluate import evaluate
from apical.finetune import finetune
from apical.pretrain import pretrain
from apical.run import Run
from apical.scores import Scores
from tests.tasks.painted import painted

TASK = "parcel_segmentation"
RULES = ("paper", "released", "votes", "weights")
TINY = ["precision=32", "device=cpu", "task.pixels=256"]

PARCELS = 16
STORED = (48, 40)
VIT = 'backbone={"name": "vit_small", "patch": 4, "image_size": 48, "dim": 24, "depth": 1, "heads": 2}'
SMALL = ["batch_size=4", "precision=32", "device=cpu", "monitor_images=4"]
EYES = [*SMALL, VIT, "epochs=0", "sampling=frames", "views.pair.size=48", "method.projected_features=8"]
CUT = [
    *SMALL,
    "epochs=3",
    "sampling.frames=2",
    "sampling.stride=1",
    "sampling.per_clip=4",
    f"method.head.parcels={PARCELS}",
]


@dataclass(frozen=True)
class ParcelRuns:
    """A dataset and runs on it, each made when it is first asked for."""

    folder: Path

    @cached_property
    def dataset(self) -> Dataset:
        """Painted hearts."""
        return hearts(self.folder / "dataset")

    @cached_property
    def plain(self) -> Run:
        """A run without parcels."""
        return eyes(self.dataset, self.folder / "eyes")

    @cached_property
    def parcelled(self) -> Run:
        """One with parcels, from that."""
        return cut(self.dataset, self.folder / "raptor", str(self.plain.folder))

    @cached_property
    def by_rule(self) -> dict[str, Run]:
        """Masks of those parcels, by each rule."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("apical.finetune.report_fitting", lambda _run, _job: None)
            return {
                rule: fitted(self.dataset, self.parcelled, self.folder / rule, f"task.rule={rule}")
                for rule in RULES
            }


def hearts(folder: Path, **settings: Any) -> Dataset:
    """Painted hearts, small."""
    return painted(folder, **{"stored": STORED, **settings})


def eyes(dataset: Dataset, out: Path) -> Run:
    """An encoder that has learnt nothing, and cuts nothing into parcels."""
    return _quietly("simclr", out, dataset, "random", EYES)


def cut(dataset: Dataset, out: Path, init: str, *overrides: str) -> Run:
    """A run with parcels, from another run's encoder or, with `random`, from a small one of its own."""
    own = [VIT] if init == "random" else []
    return _quietly("raptor", out, dataset, init, [*CUT, *own, *overrides])


def _quietly(method: str, out: Path, dataset: Dataset, init: str, overrides: list[str]) -> Run:
    """Pictures of pretraining are slow, and no test of parcels looks at them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("apical.pretrain.report_pretraining", lambda _run, _job: None)
        return pretrain(method, out, data=dataset.folder, init=init, overrides=overrides)


def fitted(dataset: Dataset, init: Run, out: Path, *overrides: str, **given: Any) -> Run:
    return finetune(
        TASK, out, data=dataset.folder, init=str(init.folder), overrides=[*TINY, *overrides], **given
    )


def judged(run: Run, dataset: Dataset, out: Path, **given: Any) -> Scores:
    return evaluate(run.folder, dataset.folder, out, device="cpu", **given)


def dice(scores: Scores, structure: str = "lv") -> float:
    return float(scores.card.summary["structures"][structure]["all"]["dice"]["mean"])


def copied(run: Run, folder: Path, **card: Any) -> Run:
    """The same run elsewhere, to be edited."""
    folder.mkdir()
    (folder / "checkpoints").symlink_to(run.folder / "checkpoints")
    for name in ("config.yaml", "segments.yaml", "labels.json"):
        (folder / name).write_bytes((run.folder / name).read_bytes())
    written = json.loads((run.folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**written, **card}))
    return Run.open(folder)
