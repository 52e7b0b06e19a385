"""One job on its devices: settings and a job come in, optimiser steps go out. It knows nothing of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np
import torch
from pydantic import BeforeValidator, Field
from torch import Tensor
from torch.optim import Optimizer

from apical.averages import Average
from apical.launch import Placement
from apical.layout import channels_last
from apical.moment import Moment
from apical.precision import Precision, autocast
from apical.schedules import Schedule, cosine
from apical.training_state import Trained

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Job", "Trainer", "TrainingConfig"]


class TrainingConfig(Placement):
    """How any job is trained."""

    epochs: int = Field(default=100, ge=0)
    """Passes over the data; 0 takes the first weights as they are."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """The same seed gives the same run."""
    precision: Annotated[Precision, BeforeValidator(str)] = "auto"
    """Arithmetic: auto takes bf16 autocast where the hardware gains from it."""
    channels_last: bool = True
    """Lay images out pixel by pixel, which convolutions like."""
    schedule: Schedule = Schedule(warmup_epochs=5)
    """Of the learning rate."""
    accumulate: int = Field(default=1, gt=0)
    """Parts that a batch is worked through in, to save memory; contrasts then see one part at a time."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Longest gradient."""
    average: float | None = Field(default=None, gt=0, lt=1)
    """Keep an exponential moving average of the weights with this decay, and leave that."""
    log_every: int = Field(default=10, gt=0)
    """Steps between two lines of figures."""
    evaluate_every: int = Field(default=1, gt=0)
    """Epochs between two looks at held-out data."""
    patience: int | None = Field(default=None, gt=0)
    """Stop early after so many looks in a row without a better score; null trains to the end."""
    checkpoint_seconds: float = Field(default=60.0, ge=0)
    """Most time that a kill can cost."""
    least_spread: float | None = Field(default=0.01, gt=0)
    """Stop when embeddings stay closer together than this, where 1 is healthy."""


class Job(Protocol):
    """What a stage hands to the engine."""

    title: str
    model: Any
    """A module: given a batch and a moment it returns losses, and it has `before_step` and `after_step` (moment)."""
    optimiser: Optimizer
    peak_lr: float
    final_weight_decay: float | None
    batch_size: int
    steps_per_epoch: int
    score: str
    """The figure by which the best checkpoint is chosen."""
    higher_is_better: bool
    advice: str
    """What to try when training goes astray."""

    def batch(self, moment: Moment, part: int, parts: int) -> Any:
        """One of `parts` equal parts of the batch of this moment: a pure function."""

    def evaluate(self, moment: Moment) -> Mapping[str, float]:
        """Figures on held-out data; called on all processes."""

    def weights(self) -> Mapping[str, Tensor]:
        """What later stages take."""


class Trainer:
    """A job on its devices; it takes steps and knows nothing of files."""

    def __init__(self, job: Job, config: TrainingConfig, fabric: Fabric) -> None:
        self.job, self.config, self.fabric = job, config, fabric
        if config.channels_last:
            channels_last(job.model)
        self.model, self.optimiser = fabric.setup(job.model, job.optimiser)
        self.average = None if config.average is None else Average(job.model, config.average)
        self._weight_decays = [group["weight_decay"] for group in job.optimiser.param_groups]

    @property
    def trained(self) -> Trained:
        """All tensors that steps change."""
        return Trained(self.job.model, self.job.optimiser, self.average)

    def step(self, moment: Moment) -> Mapping[str, Tensor]:
        """Take one step; the losses, averaged over the parts of the batch."""
        self._turn_dials(moment)
        self.optimiser.zero_grad()
        losses = [self._work_through(moment, part) for part in range(self.config.accumulate)]
        self.job.model.before_step(moment)
        if self.config.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.job.model.parameters(), self.config.clip_norm)
        self.optimiser.step()
        self.job.model.after_step(moment)
        if self.average is not None:
            self.average.update(self.job.model, moment.step)
        return {name: torch.stack([part[name] for part in losses]).mean() for name in losses[0]}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the model has its averaged weights, if it keeps an average."""
        with nullcontext() if self.average is None else self.average.swapped(self.job.model):
            yield

    def _work_through(self, moment: Moment, part: int) -> dict[str, Tensor]:
        fabric, parts = self.fabric, self.config.accumulate
        batch = self.job.batch(
            moment, part * fabric.world_size + fabric.global_rank, parts * fabric.world_size
        )
        is_last = part + 1 == parts
        waits = fabric.world_size > 1 and not is_last
        with fabric.no_backward_sync(self.model) if waits else nullcontext():
            self._seed(moment.step, part)
            with autocast(self.config.precision, fabric.device):
                losses = self.model(batch, moment)
            fabric.backward(losses["loss"] / parts)
        return {name: value.detach() for name, value in losses.items()}

    def _seed(self, step: int, part: int) -> None:
        """Dropout knows no generator but torch's own, so that one becomes a function of the moment too."""
        entropy = [self.config.seed, step, part, self.fabric.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1))

    def _turn_dials(self, moment: Moment) -> None:
        lr = self.config.schedule.value(self.job.peak_lr, moment)
        for group, start in zip(self.job.optimiser.param_groups, self._weight_decays, strict=True):
            group["lr"] = lr
            if self.job.final_weight_decay is not None and start > 0:
                group["weight_decay"] = cosine(start, self.job.final_weight_decay, moment.fraction)
