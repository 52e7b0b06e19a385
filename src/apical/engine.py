"""The training loop: a job comes in, checkpoints and figures go out.

Whatever a step needs is a pure function of its moment, so the state that resumes a job is its weights, its
optimiser and a few numbers. On one device in float32, a job that was killed ends with the very weights of one
that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from apical.checkpoint import write_tensors
from apical.errors import ApicalError
from apical.gathering import mean_over_processes
from apical.interruption import heeding_interruption
from apical.moment import Moment
from apical.progress import progress
from apical.trainer import Job, Trainer, TrainingConfig
from apical.training_state import Shelf, State
from apical.vigil import Vigil

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Log", "train"]

Log = Callable[[int, Mapping[str, float]], None]
"""Takes the number of steps taken and figures by name."""


def train(job: Job, config: TrainingConfig, fabric: Fabric, shelf: Shelf, log: Log) -> State:
    """Train from the shelf's checkpoint, or from the beginning, to the end."""
    return _Training(Trainer(job, config, fabric), shelf, log).run()


class _Training:
    """The loop and its files. Only the first process writes; all take the same way through it."""

    def __init__(self, trainer: Trainer, shelf: Shelf, log: Log) -> None:
        self.trainer, self.shelf, self.log = trainer, shelf, log
        self.job, self.config, self.fabric = trainer.job, trainer.config, trainer.fabric
        self.state = shelf.load(trainer.trained)
        self.moment = Moment(self.state.step, self.job.steps_per_epoch, self.config.epochs)
        self.vigil = Vigil(self.config.least_spread, self.job.advice, self.state.low_steps)
        self.saved_at = self.looked_at = time.monotonic()
        self.looked_step = self.state.step
        self.failure: ApicalError | None = None
        """What has stopped the first of several processes."""

    def run(self) -> State:
        done, all_steps = self.moment.step, self.moment.steps
        speaks = self.fabric.is_global_zero
        with (
            heeding_interruption() as wish,
            progress(self.job.title, all_steps, "steps", done, speaks) as bar,
        ):
            while not self._is_over():
                losses = self.trainer.step(self.moment)
                self.moment = self.moment.after(self.moment.step + 1)
                self.vigil.note(self.moment.step, losses)
                bar.advance(note=self._look() if self._is_time_to_look() else "")
                if self._agree(wish.is_wished or self.failure is not None):
                    self._stop()
        if all_steps == 0:
            self._keep_first_weights()
        elif not self.shelf.last.is_file():  # killed in the middle of the first save, which was the only one
            self._by_the_first(self._write_last)
        return self.state

    def _stop(self) -> None:
        """End all processes together: none may leave while the first one writes."""
        if self.failure is None:
            self.vigil.settle(mean_over_processes)
            self._by_the_first(self._save)
        self.fabric.barrier()
        if self.failure is not None:
            raise self.failure
        raise KeyboardInterrupt(f"stopped after step {self.moment.step}; --resume goes on from there")

    def _by_the_first(self, write: Callable[[], None]) -> None:
        """Done by the first process alone; if it fails, the others are told before it gives up."""
        if not self.fabric.is_global_zero:
            return
        try:
            write()
        except ApicalError as error:
            if self.fabric.world_size == 1:
                raise
            self.failure = error

    def _keep_first_weights(self) -> None:
        """A training of no epochs leaves what it started from."""
        figures = self._evaluate()
        self._by_the_first(lambda: self.log(0, figures))
        self._by_the_first(self._save)

    def _is_time_to_look(self) -> bool:
        return self.moment.step % self.config.log_every == 0 or self.moment.step_in_epoch == 0

    def _look(self) -> str:
        """Log, evaluate and save where it is time to; a word on how it goes."""
        means = self.vigil.settle(mean_over_processes)
        now, steps = time.monotonic(), self.moment.step - self.looked_step
        rate = steps * self.job.batch_size / (now - self.looked_at)
        figures = {"epoch": float(self.moment.epoch), **means, **self._dials(), "images_per_s": rate}
        if self._is_time_to_evaluate():
            figures.update(self._evaluate())
        self._by_the_first(lambda: self.log(self.moment.step, figures))
        if self._is_over() or now - self.saved_at >= self.config.checkpoint_seconds:
            self._by_the_first(self._save)
        self.looked_at, self.looked_step = time.monotonic(), self.moment.step
        return (
            f"epoch {self.moment.epoch}/{self.moment.epochs}, loss {means['loss']:.4g}, {rate:.0f} images/s"
        )

    def _is_over(self) -> bool:
        """Whether all steps are taken, or the score has not got better for too long."""
        if self.moment.step == self.moment.steps:
            return True
        best = self.state.best.get("step")
        if self.config.patience is None or best is None or self.job.score not in self.state.best:
            return False
        looks = (self.moment.step - int(best)) // (self.moment.steps_per_epoch * self.config.evaluate_every)
        return looks >= self.config.patience

    def _dials(self) -> dict[str, float]:
        group = self.job.optimiser.param_groups[0]
        return {"lr": group["lr"], "weight_decay": group["weight_decay"]}

    def _is_time_to_evaluate(self) -> bool:
        epochs, rest = divmod(self.moment.step, self.moment.steps_per_epoch)
        return rest == 0 and (epochs % self.config.evaluate_every == 0 or epochs == self.moment.epochs)

    def _evaluate(self) -> dict[str, float]:
        with self.trainer.averaged():
            figures = dict(self.job.evaluate(self.moment))
            if self._is_best(figures):
                self.state = self.state.after(best={"step": float(self.moment.step), **figures})
                self._by_the_first(lambda: self._write_weights(self.shelf.best))
        return figures

    def _is_best(self, figures: Mapping[str, float]) -> bool:
        best = self.state.best.get(self.job.score, math.nan)
        if not math.isfinite(best):
            return True
        sign = 1 if self.job.higher_is_better else -1
        return sign * figures.get(self.job.score, math.nan) >= sign * best

    def _save(self) -> None:
        seconds = self.state.seconds + time.monotonic() - self.saved_at
        self.state = self.state.after(step=self.moment.step, seconds=seconds, low_steps=self.vigil.low_steps)
        if self.shelf.resume.is_file():
            self._write_last()  # before the state: what that vouches for is not done again
            self.shelf.save(self.trainer.trained, self.state)
        else:
            self.shelf.save(self.trainer.trained, self.state)  # weights without a state mean that it was lost
            self._write_last()
        self.saved_at = time.monotonic()

    def _write_last(self) -> None:
        with self.trainer.averaged():
            self._write_weights(self.shelf.last)

    def _write_weights(self, path: Path) -> None:
        write_tensors(path, self.job.weights(), {"step": self.moment.step, "epoch": self.moment.epoch})

    def _agree(self, is_wished: bool) -> bool:
        """Whether to stop now: with several processes, all must stop after the same step."""
        if self.fabric.world_size == 1:
            return is_wished
        if not self._is_time_to_look():
            return False
        vote = torch.tensor(float(is_wished), device=self.fabric.device)
        return bool(mean_over_processes(vote) > 0)
