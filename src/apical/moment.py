"""When in training: the number of the step goes in; the epoch, and how much is behind us, come out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Moment"]


@dataclass(frozen=True, slots=True)
class Moment:
    """The step that is being taken; everything that changes during training is a pure function of it."""

    step: int
    """Optimiser steps taken before this one."""
    steps_per_epoch: int
    epochs: int

    @property
    def epoch(self) -> int:
        """Epochs finished before this step."""
        return self.step // self.steps_per_epoch

    @property
    def step_in_epoch(self) -> int:
        """Steps taken before this one in its epoch."""
        return self.step % self.steps_per_epoch

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.steps_per_epoch * self.epochs

    @property
    def fraction(self) -> float:
        """How much of training is behind us: 0 at the first step, 1 after the last."""
        return self.step / self.steps

    def after(self, step: int) -> Moment:
        """The moment at another step of the same training."""
        return Moment(step, self.steps_per_epoch, self.epochs)
