"""Labelled images: a task and the clips of a cohort come in; those that are learnt from, or watched, go out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.evenly import evenly
from apical.frames import FrameStore
from apical.labels import By, LabelDraw, draw_labels
from apical.looks import Look, images_of
from apical.tasks._mask_answers import MaskAnswers, traced_images
from apical.tasks.base import Answers, Task

__all__ = ["Watched", "drawn_examples", "some_traced"]


def drawn_examples(
    task: Task, dataset: Dataset, clips: pl.DataFrame, amount: str, seed: int, by: By
) -> tuple[LabelDraw, pl.DataFrame]:
    """Which labels are used, and the examples that they are of."""
    examples = task.examples(dataset, clips)
    if examples.is_empty():
        raise ApicalError(
            f"No patient to learn from has labels for {task.config.name}",
            where=str(dataset.folder),
            remedy="Take a dataset whose training patients are annotated: 'apical inspect' counts them.",
        )
    draw = draw_labels(examples, amount, seed, by)
    chosen = pl.DataFrame(draw.images, schema={"clip": pl.String, "frame": pl.Int64}, orient="row")
    return draw, examples.join(chosen, on=["clip", "frame"], how="semi")


@dataclass(frozen=True)
class Watched:
    """Images with their answers, whole and as they are: looked at one batch after the other."""

    examples: pl.DataFrame
    answers: Answers
    store: FrameStore
    size: tuple[int, int]
    look: Look | None = None

    @classmethod
    def of(
        cls,
        task: Task,
        dataset: Dataset,
        clips: pl.DataFrame,
        most: int,
        size: tuple[int, int],
        device: torch.device,
    ) -> Watched:
        """The labelled images of these clips, evenly chosen if they are more than `most`."""
        examples = task.looks(dataset, task.examples(dataset, clips))
        chosen = examples[evenly(len(examples), most)]
        return cls.at(task, dataset, clips, chosen, size, device)

    @classmethod
    def at(
        cls,
        task: Task,
        dataset: Dataset,
        clips: pl.DataFrame,
        examples: pl.DataFrame,
        size: tuple[int, int],
        device: torch.device,
    ) -> Watched:
        """These examples, whose column `row` is the row of `clips`."""
        store = FrameStore.open(dataset, clips, "disk", device)
        return cls(examples, task.answers(dataset, examples), store, size, task.look)

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def num_patients(self) -> int:
        """Whose they are."""
        return self.examples["patient"].n_unique()

    def at_places(self, places: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Images (B, 1, H, W), or clips (B, 1, T, H, W), and answers by their places in the table."""
        images = images_of(self.store, self.examples[places], self.look, self.size)
        return images, self.answers.at(torch.from_numpy(places), None, self.size)

    def parts(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All of them, `count` at a time."""
        for start in range(0, len(self), count):
            yield self.at_places(np.arange(start, min(start + count, len(self))))

    def some(self, count: int) -> tuple[Tensor, Tensor]:
        """Some of them, evenly chosen."""
        return self.at_places(evenly(len(self), count))


def some_traced(
    dataset: Dataset, clips: pl.DataFrame, most: int, size: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor] | None:
    """Up to `most` images (B, 1, H, W) of these clips and their masks (B, S, H, W); none where nothing is traced."""
    structures = dataset.traces["structure"].unique().sort().to_list()
    examples = traced_images(dataset, clips, structures) if structures else pl.DataFrame()
    if examples.is_empty():
        return None
    chosen = examples[evenly(len(examples), most)]
    store = FrameStore.open(dataset, clips, "disk", device)
    masks = MaskAnswers(dataset, chosen, structures).at(torch.arange(len(chosen)), None, size)
    return images_of(store, chosen, None, size), masks
