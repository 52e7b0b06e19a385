"""The echocardiographic view of an image, told from frozen vectors: by neighbours, a line, or prototypes.

The weighted vote of neighbours is that of Majchrowska et al. (ALAN, 2023). Where it is not sure, it says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import torch
from pydantic import Field
from torch import Tensor

from apical.dataset import Dataset
from apical.errors import ApicalError, nearest
from apical.pictures.overlay_sheet import Overlay, draw_overlays, overlay_proportion
from apical.pictures.run_sheet import Sheet
from apical.tasks._view_keeping import Kept, read_kept, write_kept
from apical.tasks._view_pictures import draw_scores
from apical.tasks._view_rules import RULES, Rule
from apical.tasks._view_summary import CANT_TELL, summarised, summary_lines, title_of
from apical.tasks._view_trust import Trust, trust_in
from apical.tasks.base import FittedTask, Judged, Pixels, Seen, TaskConfig

__all__ = ["EchoViewTask", "EchoViewTaskConfig"]

View = Literal["a4c", "a2c", "plax", "psax", "other"]
VIEWS: tuple[View, ...] = ("a4c", "a2c", "plax", "psax", "other")
JUDGED = Judged(("clip", "frame"), {"correct": True, "correct_or_refused": True, "true_probability": True})


class EchoViewTaskConfig(TaskConfig):
    """Settings of telling views."""

    name: Literal["echo_view"] = "echo_view"
    rule: Literal["neighbours", "linear", "prototypes"] = "neighbours"
    """What tells: the nearest labelled images, a logistic regression, or each view's mean direction."""
    k: int = Field(default=10, gt=0)
    """How many neighbours vote."""
    temperature: float = Field(default=0.07, gt=0)
    """A neighbour's vote is exp(cosine / temperature); prototypes are weighed so too."""
    penalty: float = Field(default=0.01, ge=0)
    """L2 penalty on the weights of the logistic regression, beside its mean cross-entropy."""
    frames_per_clip: int = Field(default=1, gt=0)
    """Frames of a clip that are looked at, evenly spaced; a still has one."""
    echo_views: tuple[View, ...] | None = None
    """Views that are told apart; null takes those that the dataset has."""
    refuses: bool = True
    """Say "can't tell" rather than answer where confidence is too low."""
    trusted: float = Field(default=0.95, gt=0, le=1)
    """Share of right answers that sets the least confidence of an answer."""
    allow_leakage: bool = False
    """Go on where patients are both learnt from and judged, as in the paper's split; every output says so."""


@dataclass(frozen=True)
class ViewAnswers:
    """Numbers of views, by row of the examples."""

    numbers: Tensor

    def at(self, examples: Tensor, warps: Tensor | None, size: tuple[int, int]) -> Tensor:
        """(B,): a view is the same however a frame is shown."""
        del warps, size
        return self.numbers[examples]


@dataclass(frozen=True)
class ViewJudge:
    """Compares beliefs with the views that experts named."""

    task: EchoViewTask
    about: Mapping[str, tuple[str, str]]
    """View and patient by clip."""

    def judge(
        self, clip: str, frame: int, beliefs: Tensor
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """A row each."""
        view, patient = self.about[clip]
        best, answer = self.task.told(beliefs[None])[0]
        truth = self.task.views.index(view)
        probabilities = [float(each) for each in beliefs]
        row = {"clip": clip, "frame": frame, "patient": patient, "echo_view": view, "answer": answer}
        score = {
            **row,
            "best": best,
            "confidence": max(probabilities),
            "is_answered": answer != CANT_TELL,
            "correct": float(best == view),
            "correct_or_refused": float(answer in (view, CANT_TELL)),
            "true_probability": probabilities[truth],
        }
        each = {f"p_{name}": one for name, one in zip(self.task.views, probabilities, strict=True)}
        return [score], [{**row, "confidence": max(probabilities), **each}]


class EchoViewTask(FittedTask):
    """Views from vectors."""

    Config = EchoViewTaskConfig
    needs_parcels: ClassVar[bool] = False
    config: EchoViewTaskConfig

    def __init__(self, config: EchoViewTaskConfig) -> None:
        super().__init__(config)
        assert config.echo_views is not None, "the settings are settled first"
        self.views: tuple[str, ...] = config.echo_views
        self.leakage = "allowed" if config.allow_leakage else "refused"
        self.rule: Rule = RULES[config.rule](
            len(self.views), k=config.k, temperature=config.temperature, penalty=config.penalty
        )
        self.kept: Kept | None = None

    @classmethod
    def settled(cls, config: EchoViewTaskConfig, dataset: Dataset) -> EchoViewTaskConfig:
        """With the views that the dataset has, in their usual order."""
        there = set(dataset.usable_clips["echo_view"])
        wanted = config.echo_views or tuple(view for view in VIEWS if view in there)
        missing = sorted(set(wanted) - there)
        if missing or not wanted:
            raise ApicalError(
                f"No clip of this dataset is of the view {missing[0]}"
                if missing
                else "No clip has a known view",
                where=str(dataset.folder),
                remedy=nearest(missing[0], there & set(VIEWS))
                if missing
                else "Take a dataset that names views.",
            )
        settled = tuple(view for view in VIEWS if view in wanted)
        return config.model_copy(update={"echo_views": settled})

    def examples(self, dataset: Dataset, clips: pl.DataFrame) -> pl.DataFrame:
        """Frames of clips whose view is one of those told apart, evenly spaced in each."""
        del dataset
        rows = clips.with_row_index("row").filter(pl.col("echo_view").is_in(self.views))
        frames = [_spaced(count, self.config.frames_per_clip) for count in rows["num_frames"]]
        listed = rows.select(pl.col("row").cast(pl.Int64), "clip", "patient", "echo_view")
        return listed.with_columns(pl.Series("frame", frames, dtype=pl.List(pl.Int64))).explode(
            "frame", empty_as_null=True
        )

    def answers(self, dataset: Dataset, examples: pl.DataFrame) -> ViewAnswers:
        """Their views' numbers."""
        views = {row["clip"]: row["echo_view"] for row in _known(dataset).iter_rows(named=True)}
        numbers = [self.views.index(views[clip]) for clip in examples["clip"]]
        return ViewAnswers(torch.tensor(numbers, dtype=torch.int64))

    def beliefs(self, outputs: Tensor) -> Tensor:
        """(B, K); 0 for what an encoder has no direction for, such as a blank image may be."""
        assert self.rule.tensors, "it has learnt, or was loaded"
        vectors = outputs.detach().float().cpu()
        usable = _usable(vectors)
        found = vectors.new_zeros(len(vectors), len(self.views))
        if usable.any():
            found[usable] = self.rule.probabilities(vectors[usable])
        return found

    def told(self, beliefs: Tensor) -> list[tuple[str, str]]:
        """The likeliest view of each image, and the answer that is given: that view, or that it can't be told."""
        confidences, numbers = beliefs.max(dim=1)
        least = self.kept.trust.threshold if self.kept else None
        best = [self.views[number] for number in numbers.tolist()]
        answers = []
        for view, confidence in zip(best, confidences.tolist(), strict=True):
            is_sure = not self.config.refuses or (least is not None and confidence >= least)
            answers.append(view if is_sure and confidence > 0 else CANT_TELL)
        return list(zip(best, answers, strict=True))

    def figures(self, beliefs: Tensor, answers: Tensor) -> Mapping[str, Tensor]:
        """Whether the likeliest view is right."""
        best, numbers = beliefs.max(dim=1)
        return {"accuracy": ((numbers == answers) & (best > 0)).float()}

    def sheet(self, pixels: Pixels, beliefs: Tensor, answers: Tensor) -> Sheet:
        """Images with the answer and, where it is not that, the truth."""
        overlays = [
            Overlay(image, {}, {}, _caption(best, answer, float(belief.max()), self.views[int(truth)]))
            for image, belief, truth, (best, answer) in zip(
                pixels, beliefs, answers, self.told(beliefs), strict=True
            )
        ]
        caption = "Held-out images, with the answer, its confidence and the expert's view"
        return Sheet(caption, overlay_proportion(overlays), lambda axes: draw_overlays(overlays, axes))

    @property
    def judged(self) -> Judged:
        """Whether the likeliest view is right; whether no wrong answer is given; the probability of the truth."""
        return JUDGED

    def judge(self, dataset: Dataset, size: tuple[int, int]) -> ViewJudge:
        """Answers beside experts' views."""
        del size
        about = {
            row["clip"]: (row["echo_view"], row["patient"]) for row in _known(dataset).iter_rows(named=True)
        }
        return ViewJudge(self, about)

    def summary(self, dataset: Dataset, scores: pl.DataFrame) -> dict[str, Any]:
        """By view and over all, with intervals; how much is answered; what is taken for what."""
        del dataset
        return summarised(scores, self.views, self._trust)

    @staticmethod
    def summary_lines(summary: Mapping[str, Any]) -> list[str]:
        """A column a view, as in the paper's table."""
        return summary_lines(summary)

    def draw(
        self, dataset: Dataset, scores: pl.DataFrame, found: pl.DataFrame, folder: Path
    ) -> Mapping[str, str]:
        """What is taken for what, how right the surest answers are, and the worst mistakes."""
        del found
        return draw_scores(dataset, scores, self.views, self._trust, folder)

    def fit(self, lessons: Iterable[Seen]) -> None:
        """Learn from the vectors of all lessons, and find out which confidence may be trusted."""
        patients: list[str] = []
        parts: list[tuple[Tensor, Tensor]] = []
        for rows, outputs, answers in lessons:
            patients += rows["patient"].to_list()
            parts.append((outputs.detach().float().cpu(), answers.cpu()))
        vectors, classes = (torch.cat(each) for each in zip(*parts, strict=True))
        usable = _usable(vectors)
        if not usable.any():
            raise ApicalError(
                "The encoder sees nothing in any labelled image: all its vectors are zero or not finite",
                seen=f"{len(vectors)} images",
                remedy="Take another run as --init, or look at the images: 'apical inspect'.",
            )
        codes = torch.from_numpy(np.unique(patients, return_inverse=True)[1]).long()
        vectors, classes, codes = vectors[usable], classes[usable], codes[usable]
        self.rule.fit(vectors, classes)
        trust = trust_in(self.rule.left_out(vectors, classes, codes), classes, self.config.trusted)
        counts = torch.bincount(classes, minlength=len(self.views)).tolist()
        self.kept = Kept(
            rule=self.config.rule,
            echo_views=self.views,
            references=dict(zip(self.views, counts, strict=True)),
            patients=int(torch.unique(codes).numel()),
            blank=int((~usable).sum()),
            trust=trust,
        )

    def save(self, folder: Path) -> None:
        """Write `echo_view.safetensors` and, for people to read and to set the threshold in, `echo_view.json`."""
        assert self.kept is not None
        write_kept(folder, self.kept, self.rule.tensors)

    def load(self, folder: Path) -> None:
        """Read both."""
        self.kept, tensors = read_kept(folder, self.config.rule, self.views, self.rule.names)
        self.rule.take(tensors)

    def report(self) -> list[str]:
        """What it learnt from, and how sure it must be."""
        return self.kept.lines(self.config.refuses) if self.kept else []

    @property
    def _trust(self) -> Trust | None:
        return self.kept.trust if self.kept and self.config.refuses else None


def _usable(vectors: Tensor) -> Tensor:
    """Which vectors (N, D) have a direction: (N,)."""
    return vectors.isfinite().all(dim=1) & (vectors != 0).any(dim=1)


def _spaced(count: int, wanted: int) -> list[int]:
    """Numbers of `wanted` frames, or all if there are fewer, each in the middle of its part of the clip."""
    parts = min(count, wanted)
    return [int((part + 0.5) * count / parts) for part in range(parts)]


def _known(dataset: Dataset) -> pl.DataFrame:
    return dataset.usable_clips.select("clip", "echo_view", "patient")


def _caption(best: str, answer: str, confidence: float, truth: str) -> str:
    said = f"{title_of(best)} {confidence:.2f}"
    said = said if answer == best else f"{answer} ({said})"
    return said if answer == truth else f"{said}, is {title_of(truth)}"
