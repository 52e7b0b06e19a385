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
from apical.looks import Look
from apical.networks.base import Gives
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
    parts: tuple[str, ...] = ()
    """Those of the keys by which rows are told apart in tables of comparison: the structure, say."""
    unit: str = "images"
    """What is counted: the word for what the other keys tell apart."""
    ranking: tuple[str, str] | None = None
    """Columns with a belief and with the truth, 0 or 1, where the area under the ROC curve says most."""


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
    look: Look | None = None
    """What an example shows; null is one frame."""
    remarks: tuple[str, ...] = ()
    """What a reader of the run, or of its scores, should know."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @classmethod
    @abstractmethod
    def settled(cls, config: Any, dataset: Dataset) -> Any:
        """The settings with what they leave open taken from the dataset; an error if it lacks what is asked for."""

    @abstractmethod
    def examples(self, dataset: Dataset, clips: pl.DataFrame) -> pl.DataFrame:
        """The labelled images among these clips: rows (row, clip, frame, patient), `row` that of `clips`."""

    def looks(self, dataset: Dataset, examples: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG002
        """The examples as they are judged: a video may be looked at several times."""
        return examples

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

    def scored(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The table of scores, made of all rows of a judge's."""
        return rows

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

    def load(self, folder: Path) -> None:  # noqa: B027
        """Take up what lies beside a run's weights, or what a person has made of it; most tasks keep nothing there."""


class TrainedTask(Task):
    """A task that a network learns step by step."""

    defaults: ClassVar[Mapping[str, Any]] = {}
    """Settings of a fine-tuning that suit it, as a recipe would give them."""
    score: ClassVar[str]
    """The figure that says best how well it goes; higher is better."""
    num_outputs: int
    """K, of the network's outputs."""
    wants: ClassVar[Gives] = "maps"
    """Whether the network says something of each pixel, or of the whole."""
    networks: ClassVar[tuple[str, ...]] = ("unet_resnet", "unet", "token_decoder")
    """Networks that are taken if none is named: the first that fits the encoder; without an encoder, the first."""
    judges_together: ClassVar[bool] = False
    """Whether it says something of all held-out examples together, once it has the beliefs of each."""

    def begin(self, answers: Answers, count: int) -> None:
        """Get to know the answers of the `count` examples that are to be learnt from, before the first step."""

    def together(self, examples: pl.DataFrame, beliefs: Tensor, answers: Tensor) -> Mapping[str, float]:
        """Figures of all held-out examples, for watching."""
        del examples, beliefs, answers
        return {}

    def conclude(self, examples: pl.DataFrame, beliefs: Tensor, answers: Tensor, folder: Path) -> None:
        """Write beside the run what held-out examples tell once training is over, such as thresholds."""

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
    def report(self) -> list[str]:
        """What was learnt, in lines for a terminal and a page."""
