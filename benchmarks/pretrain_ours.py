"""Our own pretraining, as `apical pretrain` runs it: a case comes in; its steps, views and FLOPs can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from apical.batch import Batch
from apical.config import read_config
from apical.dataset import Dataset
from apical.launch import start
from apical.moment import Moment
from apical.precision import Precision, resolve_precision
from apical.pretraining import PretrainConfig, Pretraining
from apical.trainer import Trainer
from pretrain_meter import finish, seconds_of

__all__ = ["Case", "Ours", "blur_reach"]

EPOCHS = 10_000
"""More than any benchmark sees."""


@dataclass(frozen=True)
class Case:
    """What is trained, on what: the same for us and for the rivals."""

    title: str
    backbone: Mapping[str, Any]
    size: int
    """Height and width of a view."""
    batch: int
    """Samples; each has two views."""
    least_share: float | None = None
    """The share of the bf16 peak that we aim at."""


def blur_reach(size: int) -> int:
    """SimCLR's width of a blur's kernel, a tenth of the image, made odd."""
    return size // 10 | 1


def views_of(size: int) -> dict[str, Any]:
    """The views of Saeed et al. 2022."""
    crop = {"scale": [0.08, 1.0], "ratio": [3 / 4, 4 / 3], "flip_probability": 0.5}
    augmentations = {
        "contrast": {"probability": 0.8, "brightness": 0.8, "contrast": 0.8},
        "blur": {"probability": 0.5, "sigma": [0.1, 2.0], "kernel_size": blur_reach(size)},
    }
    return {"pair": {"count": 2, "size": size, "crop": crop, "augmentations": augmentations}}


class Ours:
    """SimCLR by our own job and trainer."""

    def __init__(self, case: Case, dataset: Dataset, device: str, precision: Precision) -> None:
        config = read_config(
            PretrainConfig,
            data=str(dataset.folder),
            method="simclr",
            backbone=dict(case.backbone),
            sampling="frames",
            views=views_of(case.size),
            optimiser={"name": "sgd", "lr": 0.06},
            batch_size=case.batch,
            epochs=EPOCHS,
            device=device,
            precision=precision,
        )
        fabric = start(config)
        self.case, self.device = case, fabric.device
        self.arithmetic = resolve_precision(precision, fabric.device)
        self.job = _Watched(config, dataset, fabric)
        self.trainer = Trainer(self.job, config, fabric)
        self.moment = Moment(0, self.job.steps_per_epoch, EPOCHS)

    def train(self, steps: int) -> None:
        """Take steps of training, batches and all."""
        for _ in range(steps):
            self.trainer.step(self._next())

    def make_views(self, batches: int) -> None:
        """Make batches and leave it at that."""
        for _ in range(batches):
            self.job.batch(self._next(), 0, 1)

    def input_share(self, steps: int) -> float:
        """The share of a step's time that goes by until the batch is there."""
        self.job.waited, self.job.is_watched = 0.0, True
        seconds = seconds_of(lambda: self.train(steps), self.device)
        self.job.is_watched = False
        return self.job.waited / seconds

    def flops(self) -> int:
        """Floating-point operations of one step, forward and backward, counted as it is taken."""
        with FlopCounterMode(display=False) as counter:
            self.train(1)
        return int(counter.get_total_flops())

    def close(self) -> None:
        """End what runs beside training."""
        self.job.close()

    def _next(self) -> Moment:
        now = self.moment
        self.moment = now.after(now.step + 1)
        return now


class _Watched(Pretraining):
    """A pretraining whose batches can be timed."""

    is_watched = False
    waited = 0.0

    def batch(self, moment: Moment, part: int, parts: int) -> Batch:
        if not self.is_watched:
            return super().batch(moment, part, parts)
        made: list[Batch] = []
        device: torch.device = self.fabric.device
        finish(device)
        self.waited += seconds_of(lambda: made.append(Pretraining.batch(self, moment, part, parts)), device)
        return made[0]
