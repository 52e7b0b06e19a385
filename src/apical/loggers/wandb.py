"""Figures for Weights & Biases: kept in the run's folder `wandb`, and sent only if `WANDB_MODE` is set to `online`.

What is kept: settings, figures, and what wandb notes of the machine; no code and no output. A run that resumes is the
same run there. wandb forgets nothing: steps that are taken again stand twice on a curve.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from apical.errors import ApicalError
from apical.loggers._extra import needing
from apical.loggers._run_id import find_run_id, keep_run_id
from apical.loggers.base import Logger

__all__ = ["WeightsAndBiases"]


class WeightsAndBiases(Logger):
    """A run in the project `apical`, or in `WANDB_PROJECT`."""

    def __init__(self, folder: Path, settings: Mapping[str, object], after_step: int) -> None:  # noqa: ARG002
        with needing("wandb", "Weights & Biases"):
            import wandb
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "apical"),
                mode=os.environ.get("WANDB_MODE", "offline"),
                name=folder.resolve().name,
                dir=folder,
                id=find_run_id(folder, "wandb"),
                resume="allow",
                config=dict(settings),
                settings=wandb.Settings(console="off", disable_git=True, disable_code=True),
            )
        except wandb.errors.Error as error:
            raise ApicalError(
                "Weights & Biases can't open this run",
                seen=str(error).partition("\n")[0],
                remedy="Run 'wandb login', or set WANDB_MODE=offline.",
            ) from None
        keep_run_id(folder, "wandb", self._run.id)
        # Its own count of steps can't go back, as it must after a kill.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a point to each figure's curve."""
        self._run.log({"step": step, **figures})

    def close(self) -> None:
        """Wait until all is kept, or sent."""
        self._run.finish()
