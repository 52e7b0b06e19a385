"""What a logger is: figures by name come in at a step, and are kept where someone will look for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Logger"]


class Logger(ABC):
    """One place for figures. A run that resumes opens the same place and forgets what came after the checkpoint."""

    @abstractmethod
    def __init__(self, folder: Path, settings: Mapping[str, object], after_step: int) -> None:
        """Keep figures of the run in `folder`, whose settings are given; forget steps later than `after_step`."""

    @abstractmethod
    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures as they are after `step` steps."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more comes."""
