"""Schedules: a moment in training comes in, the value that a setting has then goes out."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from apical.config import Config
from apical.moment import Moment

__all__ = ["Schedule", "cosine"]


def cosine(start: float, end: float, fraction: float) -> float:
    """Half a cosine wave from `start` at fraction 0 to `end` at 1."""
    return end + (start - end) * (1 + math.cos(math.pi * min(max(fraction, 0.0), 1.0))) / 2


class Schedule(Config):
    """How the learning rate goes: up in a line, then along half a cosine, or level."""

    shape: Literal["cosine", "constant"] = "cosine"
    """What follows the warm-up."""
    warmup_epochs: float = Field(default=0.0, ge=0)
    """Epochs in which it rises from nothing in a straight line."""
    final: float = Field(default=0.0, ge=0)
    """The value that the cosine ends at."""
    by: Literal["step", "epoch"] = "step"
    """Change at every step, or only when an epoch begins."""

    def value(self, peak: float, moment: Moment) -> float:
        """The value at this moment, `peak` when the warm-up ends."""
        step = moment.step if self.by == "step" else moment.epoch * moment.steps_per_epoch
        warmup = self.warmup_epochs * moment.steps_per_epoch
        unit = 1 if self.by == "step" else moment.steps_per_epoch
        if step < warmup:
            return peak * min((step + unit) / warmup, 1.0)
        if self.shape == "constant":
            return peak
        return cosine(peak, self.final, (step - warmup) / max(moment.steps - warmup, 1))
