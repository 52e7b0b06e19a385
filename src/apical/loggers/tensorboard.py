"""Figures for TensorBoard, in the run's folder `tensorboard`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apical.errors import writing
from apical.loggers._extra import needing
from apical.loggers.base import Logger

__all__ = ["TensorBoard"]


class TensorBoard(Logger):
    """Event files: TensorBoard itself hides the steps that a resumed run takes again."""

    def __init__(self, folder: Path, settings: Mapping[str, object], after_step: int) -> None:  # noqa: ARG002
        with needing("tensorboard", "TensorBoard"):
            from torch.utils.tensorboard import SummaryWriter
        self.place = str(folder / "tensorboard")
        with writing(self.place):
            self._writer = SummaryWriter(self.place, purge_step=after_step + 1)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a point to each figure's curve."""
        with writing(self.place):
            for name, value in figures.items():
                self._writer.add_scalar(name, float(value), step)
            self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
