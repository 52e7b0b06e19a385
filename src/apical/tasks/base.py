"""What a task is: a dataset's labels come in; examples, answers, figures and scores go out.

There are two kinds. A trained task has a loss, and a network follows its gradient. A fitted task looks through frozen
eyes, counts what it finds beside the answers, and keeps that in a file that people can read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
from torch import Tensor

from apical.config import PieceConfig
from apical.dataset import Dataset
from apical.leakage import Leakage
from apical.pictures.run_sheet import Sheet

__all__ = [
    "Answers",
    "FittedTask",
    "Judge",
    "Judged",
    "Losses",
    "Pixels",
    "Seen",
    "Task",
    "TaskConfig",
    "TrainedTask",
]

Pixels = npt.NDArray[np.uint8]
Losses = Mapping[str, Tensor]
"""Scalars: `loss` is trained on; the others are logged."""


Seen = tuple[pl.DataFrame, Tensor, Tensor]
"""Some examples, what frozen eyes see in them, and the answers."""


class TaskConfig(PieceConfig):
    """Settings of a task."""


class Answers(Protocol):
    """What experts say of some examples."""

    def at(self, examples: Tensor, warps: Tensor | None, size: tuple[int, int]) -> Tensor:
        """The answers (B, ...) to `examples` (B,), rows of their table, as views with these warps show them.

        Without warps they are those to the whole frames; maps come at `size`, others as they are.
        """


@dataclass(frozen=True)
class Judged:
    """What the table of scores has."""

    keys: tuple[str, ...]
    """Columns that say what a row is of."""
    figures: Mapping[str, bool]
    """Columns with figures, and whether higher is better; the first one counts most."""
    cluster: str = "patient"
    """The column whose rows are alike."""


class Judge(Protocol):
    """Compares beliefs with labels, image by image."""

    def judge(
        self, clip: str, frame: int, beliefs: Tensor
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of scores, and rows of what was found."""


class Task(ABC):
    """A job for which labels are few. It is built from settled settings, and knows no dataset by then."""

    Config: ClassVar[type[TaskConfig]]
    leakage: Leakage = "remarked"
    """What is done where a patient is both learnt from and judged."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @classmethod
    @abstractmethod
    def settled(cls, config: Any, dataset: Dataset) -> Any:
        """The settings with what they leave open taken from the dataset; an error if it lacks what is asked for."""

    @abstractmethod
    def examples(self, dataset: Dataset, clips: pl.DataFrame) -> pl.DataFrame:
        """The labelled images among these clips: rows (row, clip, frame, patient), `row` that of `clips`."""

    @abstractmethod
    def answers(self, dataset: Dataset, examples: pl.DataFrame) -> Answers:
        """What experts say of examples, made ready for learning."""

    @abstractmethod
    def beliefs(self, outputs: Tensor) -> Tensor:
        """Probabilities (B, S, ...) of what the answers say, 0 where nothing is shown."""

    @abstractmethod
    def figures(self, beliefs: Tensor, answers: Tensor) -> Mapping[str, Tensor]:
        """Figures (B,) of each example, for watching."""

    @abstractmethod
    def sheet(self, pixels: Pixels, beliefs: Tensor, answers: Tensor) -> Sheet:
        """A picture of some images (N, H, W), 8-bit, with what is believed of them and the answers."""

    @property
    @abstractmethod
    def judged(self) -> Judged:
        """What scores consist of."""

    @abstractmethod
    def judge(self, dataset: Dataset, size: tuple[int, int]) -> Judge:
        """Who judges what is believed of a dataset's images of this size."""

    @abstractmethod
    def summary(self, dataset: Dataset, scores: pl.DataFrame) -> dict[str, Any]:
        """Scores in a few figures, as JSON holds them."""

    @staticmethod
    @abstractmethod
    def summary_lines(summary: Mapping[str, Any]) -> list[str]:
        """The same as a table in words."""

    @abstractmethod
    def draw(
        self, dataset: Dataset, scores: pl.DataFrame, found: pl.DataFrame, folder: Path
    ) -> Mapping[str, str]:
        """Write pictures of scores; their file names and what each shows."""


class TrainedTask(Task):
    """A task that a network learns step by step."""

    defaults: ClassVar[Mapping[str, Any]] = {}
    """Settings of a fine-tuning that suit it, as a recipe would give them."""
    score: ClassVar[str]
    """The figure that says best how well it goes; higher is better."""
    num_outputs: int
    """K, of the network's outputs."""

    @abstractmethod
    def loss(self, outputs: Tensor, answers: Tensor) -> Losses:
        """How wrong outputs (B, K, ...) are."""

    @abstractmethod
    def disagreement(self, outputs: Tensor, beliefs: Tensor, threshold: float) -> Tensor:
        """How far outputs are from a teacher's beliefs of the same views; what it is not sure of counts nothing."""

    @abstractmethod
    def carried(self, beliefs: Tensor, warps: Tensor, size: tuple[int, int]) -> Tensor:
        """Beliefs of whole frames as views with these warps show them."""


class FittedTask(Task):
    """A task that is learnt at one go from what a frozen encoder sees."""

    needs_parcels: ClassVar[bool]
    """Whether its outputs are scores of parcels (B, K, H, W); else they are vectors (B, D)."""
    remarks: tuple[str, ...] = ()
    """What a reader of the run should know."""

    @property
    def needs_labels(self) -> bool:
        """Whether it looks at labelled images at all."""
        return True

    @abstractmethod
    def fit(self, lessons: Iterable[Seen]) -> None:
        """Learn from all lessons, which come one batch after the other."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was learnt beside a run."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Take up what `save` wrote, or what a person has made of it."""

    @abstractmethod
    def report(self) -> list[str]:
        """What was learnt, in lines for a terminal and a page."""
