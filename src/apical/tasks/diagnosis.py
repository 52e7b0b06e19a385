"""A diagnosis of a study from its videos: yes or no, or a grade (Holste 2024).

Learnt from clips at random starts of every video; judged on several clips, evenly spaced in each, whose beliefs become
one of the whole study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import torch
from pydantic import Field
from torch import Tensor

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.looks import Look
from apical.networks.base import Gives
from apical.pictures.overlay_sheet import Overlay, draw_overlays, overlay_proportion
from apical.pictures.run_sheet import Sheet
from apical.sampling.clips import even_starts
from apical.tasks._diagnosis_head import ClassHead
from apical.tasks._diagnosis_keeping import Kept, concluded, read_kept, write_kept
from apical.tasks._diagnosis_pictures import draw_scores
from apical.tasks._diagnosis_scores import FIGURES, LookJudge, study_scores
from apical.tasks._diagnosis_summary import summarised, summary_lines, watched_figures
from apical.tasks._study_labels import ANSWER, YES, answers_of, classes_of
from apical.tasks._study_votes import VOTES, WEIGHT, Vote
from apical.tasks.base import Judged, Losses, Pixels, TaskConfig, TrainedTask

__all__ = ["Diagnosis", "DiagnosisConfig"]

DEFAULTS: Mapping[str, Any] = {
    "batch_size": 16,
    "fewest_samples": 128,
    "epochs": 30,
    "patience": 5,
    "optimiser": {"name": "adamw", "lr": 1e-4, "weight_decay": 0.01},
    "schedule": {"shape": "cosine", "warmup_epochs": 1},
    "clip_norm": 1.0,
    "least_spread": None,
    "view": {
        "count": 1,
        "place": {"zoom": [0.9, 1.1], "shift": 8 / 112, "rotation_degrees": 10.0},
        "augmentations": {
            "contrast": {"brightness": 0.2, "contrast": 0.2, "probability": 0.5},
            "gamma": {"exponent": [0.7, 1.4], "probability": 0.5},
        },
    },
}
"""As in the recipe `diagnosis-best`."""


class DiagnosisConfig(TaskConfig):
    """Settings of a diagnosis."""

    name: Literal["diagnosis"] = "diagnosis"
    label: str = "as_severe"
    """What is diagnosed: as_severe, as_any, lvh, any label that 'apical inspect' lists, or a measure with a limit
    such as ef_percent<50."""
    classes: tuple[str, ...] | None = None
    """What is told apart, from least to worst; null takes what the dataset has."""
    wall_cm: float = Field(default=1.1, gt=0)
    """Where hypertrophy is no label of its own: a wall thicker than this at end-diastole, of two, is one."""
    frames: int = Field(default=16, gt=0)
    """Frames of a clip."""
    stride: int = Field(default=1, gt=0)
    """How many frames on each next one lies, where the video is long enough."""
    looks: int = Field(default=4, gt=0)
    """Clips of each video on which it is judged, evenly spaced."""
    vote: Literal["mean", "attention"] = "mean"
    """How a study's videos become one answer: their mean, or a mean with learnt weights."""
    videos: int = Field(default=3, gt=0)
    """Videos of a study that attention learns from together."""
    balanced: bool = True
    """Let rare classes count more in the loss, so that all count alike together."""
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Label smoothing: the share of the truth that is given to all classes alike."""
    specificity: float = Field(default=0.9, gt=0, lt=1)
    """The specificity at which sensitivity is told."""


@dataclass(frozen=True)
class StudyAnswers:
    """What is known of each example's study."""

    truths: Tensor
    """(N, S): 1 for the class; of yes and no, one column that says yes."""

    def at(self, examples: Tensor, warps: Tensor | None, size: tuple[int, int]) -> Tensor:
        """(B, S): however a clip is shown."""
        del warps, size
        return self.truths[examples]


class Diagnosis(TrainedTask):
    """Classes of studies from clips."""

    Config = DiagnosisConfig
    defaults: ClassVar[Mapping[str, Any]] = DEFAULTS
    score: ClassVar[str] = "val_auroc"
    wants: ClassVar[Gives] = "vectors"
    networks: ClassVar[tuple[str, ...]] = ("classifier",)
    judges_together: ClassVar[bool] = True
    config: DiagnosisConfig

    def __init__(self, config: DiagnosisConfig) -> None:
        super().__init__(config)
        assert config.classes is not None, "the settings are settled first"
        self.classes: tuple[str, ...] = config.classes
        self.vote: Vote = VOTES[config.vote]()
        self.head = ClassHead(self.classes, self.vote)
        self.num_outputs = self.head.num_outputs
        videos = config.videos if config.vote == "attention" else 1
        self.look = Look(config.frames, config.stride, videos)
        self.kept: Kept | None = None

    @classmethod
    def settled(cls, config: DiagnosisConfig, dataset: Dataset) -> DiagnosisConfig:
        """With the classes that the dataset has."""
        classes = config.classes or classes_of(dataset, config.label, config.wall_cm)
        return config.model_copy(update={"classes": tuple(classes)})

    def examples(self, dataset: Dataset, clips: pl.DataFrame) -> pl.DataFrame:
        """The videos of studies whose answer is known, each once."""
        known = self._known(dataset).select("clip", "study", ANSWER)
        listed = clips.with_row_index("row").select(pl.col("row").cast(pl.Int64), "clip", "patient")
        joined = listed.join(known, on="clip", how="inner", maintain_order="left")
        return joined.with_columns(pl.lit(0, pl.Int64).alias("frame"))

    def looks(self, dataset: Dataset, examples: pl.DataFrame) -> pl.DataFrame:
        """Several clips of each, by the frames that they begin with."""
        lengths = dict(dataset.usable_clips.select("clip", "num_frames").iter_rows())
        config = self.config
        starts = [
            even_starts(lengths[clip], config.frames, config.stride, config.looks)
            for clip in examples["clip"]
        ]
        return examples.with_columns(pl.Series("frame", starts, dtype=pl.List(pl.Int64))).explode(
            "frame", empty_as_null=True
        )

    def answers(self, dataset: Dataset, examples: pl.DataFrame) -> StudyAnswers:
        """Their classes."""
        known = dict(self._known(dataset).select("clip", ANSWER).iter_rows())
        numbers = torch.tensor([known[clip] for clip in examples["clip"]], dtype=torch.int64)
        return StudyAnswers(self.head.truths(numbers))

    def begin(self, answers: Any, count: int) -> None:
        """How much each class counts; an error if there is but one."""
        truths = answers.at(torch.arange(count), None, (0, 0))
        counts = self.head.shares(truths).sum(dim=0)
        if (counts > 0).sum() < 2:
            only = self.classes[int(counts.argmax())]
            raise ApicalError(
                f"All videos to learn from have the same answer to '{self.config.label}': {only}",
                seen=f"{count} videos",
                remedy="Take more labels (--labels), or draw others (--seed).",
            )
        if self.config.balanced:
            self.head.balance(truths)

    def loss(self, outputs: Tensor, answers: Tensor) -> Losses:
        """Cross-entropy of what is thought of each study, from one clip or from several of its videos."""
        loss, surprise = self.head.loss(outputs, answers, self.config.smoothing)
        return {"loss": loss, "cross_entropy": surprise.detach()}

    def beliefs(self, outputs: Tensor) -> Tensor:
        """(B, S): the probability of yes, or of each grade; then, with attention, how much each clip counts."""
        return self.head.beliefs(outputs)

    def carried(self, beliefs: Tensor, warps: Tensor, size: tuple[int, int]) -> Tensor:
        """The same: a diagnosis has no place."""
        del warps, size
        return beliefs

    def disagreement(self, outputs: Tensor, beliefs: Tensor, threshold: float) -> Tensor:
        """Cross-entropy against the beliefs of which the teacher is sure."""
        believed = self.head.shares(beliefs)
        is_sure = believed.amax(dim=1) >= threshold
        return -(is_sure * (believed * self.head.log_beliefs(outputs, len(outputs))).sum(dim=1)).mean()

    def figures(self, beliefs: Tensor, answers: Tensor) -> Mapping[str, Tensor]:
        """Whether the likeliest class is the right one."""
        right = self.head.shares(beliefs).argmax(dim=1) == self.head.shares(answers).argmax(dim=1)
        return {"accuracy": right.float()}

    def together(self, examples: pl.DataFrame, beliefs: Tensor, answers: Tensor) -> Mapping[str, float]:
        """Figures of whole studies."""
        del answers  # they are in the examples
        return watched_figures(self._studies(examples, beliefs), self.classes)

    def conclude(self, examples: pl.DataFrame, beliefs: Tensor, answers: Tensor, folder: Path) -> None:
        """Thresholds and the temperature, found on held-out studies."""
        del answers
        studies = self._studies(examples, beliefs)
        write_kept(folder, concluded(studies, self.config.label, self.classes, self.config.specificity))

    def load(self, folder: Path) -> None:
        """Thresholds and the temperature, as they stand in `diagnosis.json`; none are there before training ends."""
        self.kept = read_kept(folder, self.config.label, self.classes)
        if self.kept is not None:
            self.remarks = self.kept.remarks

    def sheet(self, pixels: Pixels, beliefs: Tensor, answers: Tensor) -> Sheet:
        """The middle frames of clips, with what is believed and the truth."""
        believed, truths = self.head.shares(beliefs), self.head.shares(answers)
        overlays = [
            Overlay(image, {}, {}, self._caption(own, int(truth.argmax())))
            for image, own, truth in zip(pixels, believed, truths, strict=True)
        ]
        caption = f"Held-out clips: what is thought of '{self.config.label}', and the truth"
        return Sheet(caption, overlay_proportion(overlays), lambda axes: draw_overlays(overlays, axes))

    @property
    def judged(self) -> Judged:
        """Scores of studies."""
        return Judged(
            keys=("patient", "study"),
            figures=FIGURES,
            unit="studies",
            ranking=("probability", "truth") if self.head.is_binary else None,
        )

    def judge(self, dataset: Dataset, size: tuple[int, int]) -> LookJudge:
        """Beliefs of clips, with the truth of their studies."""
        del size
        return LookJudge(self._known(dataset), self.classes, weighs=bool(self.vote.extra_outputs))

    def scored(self, rows: pl.DataFrame) -> pl.DataFrame:
        """A row a study."""
        return study_scores(self.vote.of_studies(rows, self._columns), rows, self.classes, self.kept)

    def summary(self, dataset: Dataset, scores: pl.DataFrame) -> dict[str, Any]:
        """Figures of all studies, with intervals over patients."""
        del dataset
        return summarised(scores, self.config.label, self.classes, self.kept)

    @staticmethod
    def summary_lines(summary: Mapping[str, Any]) -> list[str]:
        """The same as a table in words."""
        return summary_lines(summary)

    def draw(
        self, dataset: Dataset, scores: pl.DataFrame, found: pl.DataFrame, folder: Path
    ) -> Mapping[str, str]:
        """Curves, calibration, what is taken for what, and the worst mistakes."""
        return draw_scores(dataset, scores, found, self.config.label, self.classes, self.kept, folder)

    @property
    def _columns(self) -> list[str]:
        return [f"p_{name}" for name in self.classes]

    def _known(self, dataset: Dataset) -> pl.DataFrame:
        return answers_of(dataset, self.config.label, self.config.wall_cm, self.classes)

    def _studies(self, examples: pl.DataFrame, beliefs: Tensor) -> pl.DataFrame:
        """A row a study of looks and what is believed of them, with the truth."""
        believed = self.head.shares(beliefs).numpy().astype(np.float64)
        weights = beliefs[:, -1].numpy() if self.vote.extra_outputs else np.ones(len(beliefs))
        looks = examples.select("patient", "study", "clip", pl.col(ANSWER).alias("truth")).with_columns(
            pl.Series(WEIGHT, weights.astype(np.float64)),
            *(pl.Series(name, believed[:, index]) for index, name in enumerate(self._columns)),
        )
        return study_scores(self.vote.of_studies(looks, self._columns), looks, self.classes, None)

    def _caption(self, believed: Tensor, truth: int) -> str:
        if self.head.is_binary:
            return f"{YES} {float(believed[1]):.2f}, is {self.classes[truth]}"
        return f"{self.classes[int(believed.argmax())]} {float(believed.max()):.2f}, is {self.classes[truth]}"
