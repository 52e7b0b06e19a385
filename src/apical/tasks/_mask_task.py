"""What all tasks share whose answers are masks: which structures there are, how masks are judged, shown and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from apical import registry
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.pictures.overlay_sheet import EXPLANATION, Overlay, draw_overlays, overlay_proportion
from apical.pictures.run_sheet import Sheet
from apical.tasks._mask_answers import MaskAnswers, traced_images
from apical.tasks._mask_heads import MaskHead
from apical.tasks._mask_pictures import draw_scores
from apical.tasks._mask_scores import MaskJudge
from apical.tasks._mask_summary import summarised, summary_lines
from apical.tasks.base import Judged, Pixels, Task, TaskConfig

__all__ = ["LV", "STRUCTURES", "MaskTask", "MaskTaskConfig", "Structure"]

Structure = Literal["lv", "myo", "la"]
LV = "lv"
STRUCTURES: tuple[Structure, ...] = ("lv", "myo", "la")
EF = "ef_percent"
KEYS = ("clip", "frame", "structure")
COMMON = 0.5
"""A structure is taken of itself if it is traced in so large a share of the frames in which the ventricle is."""


class MaskTaskConfig(TaskConfig):
    """Settings of every task whose answers are masks."""

    structures: tuple[Structure, ...] | None = None
    """What is told apart: lv, myo, la; null takes what the dataset has."""
    cleans: bool = True
    """Keep the largest connected part of each mask and fill its holes, when masks are judged or given out."""


class MaskTask(Task):
    """Masks from images; traced frames are the examples."""

    config: MaskTaskConfig
    head: MaskHead
    """How beliefs become masks."""

    def __init__(self, config: MaskTaskConfig) -> None:
        super().__init__(config)
        assert config.structures is not None, "the settings are settled first"
        self.structures: tuple[str, ...] = config.structures

    @classmethod
    def settled(cls, config: MaskTaskConfig, dataset: Dataset) -> MaskTaskConfig:
        """With the structures that the dataset has, in their usual order."""
        counts = dict(dataset.traces["structure"].value_counts().iter_rows())
        if LV not in counts:
            raise ApicalError(
                "No left ventricle is traced in this dataset",
                where=str(dataset.folder),
                seen=f"traces of {', '.join(sorted(counts))}" if counts else "no traces",
                remedy="Take a dataset with traces: 'apical inspect' counts them.",
            )
        wanted: Any = config.structures
        if wanted is None:
            wanted = [name for name in STRUCTURES if counts.get(name, 0) >= COMMON * counts[LV]]
        missing = [name for name in wanted if name not in counts]
        if LV not in wanted or missing:
            raise ApicalError(
                "These structures can't be learnt here: "
                + (f"{', '.join(missing)} is not traced" if missing else "the left ventricle must be one"),
                where=str(dataset.folder),
                remedy=f"Set task.structures to some of: {', '.join(sorted(counts))}.",
            )
        return config.model_copy(update={"structures": tuple(name for name in STRUCTURES if name in wanted)})

    def examples(self, dataset: Dataset, clips: pl.DataFrame) -> pl.DataFrame:
        """The frames in which all structures are traced."""
        return traced_images(dataset, clips, self.structures)

    def answers(self, dataset: Dataset, examples: pl.DataFrame) -> MaskAnswers:
        """Their masks."""
        return MaskAnswers(dataset, examples, self.structures)

    def figures(self, beliefs: Tensor, answers: Tensor) -> Mapping[str, Tensor]:
        """Dice of each structure's mask, (B,); `dice` is that of the left ventricle."""
        found, truth = self.head.masks(beliefs), answers > 0.5
        shared, both = (found & truth).sum((2, 3)), found.sum((2, 3)) + truth.sum((2, 3))
        dice = torch.where(both > 0, 2 * shared / both.clamp(min=1), 1.0)
        others = {f"dice_{name}": dice[:, index] for index, name in enumerate(self.structures) if name != LV}
        return {"dice": dice[:, self.structures.index(LV)], **others}

    def sheet(self, pixels: Pixels, beliefs: Tensor, answers: Tensor) -> Sheet:
        """Contours found and drawn, with the Dice of the left ventricle."""
        found, truth = self.head.masks(beliefs).numpy(), (answers > 0.5).numpy()
        overlays = [
            Overlay(
                image,
                dict(zip(self.structures, found[index], strict=True)),
                dict(zip(self.structures, truth[index], strict=True)),
                f"Dice {dice_of(found[index, 0], truth[index, 0]):.3f}",
            )
            for index, image in enumerate(pixels)
        ]
        caption = f"Held-out images. {EXPLANATION}"
        return Sheet(caption, overlay_proportion(overlays), lambda axes: draw_overlays(overlays, axes))

    @property
    def judged(self) -> Judged:
        """Every metric, at the source's size and, with `_working`, at the size worked on."""
        names = sorted(registry.names("metrics"), key=lambda name: name != "dice")
        ways = {name: registry.load("metrics", name).higher_is_better for name in names}
        figures = ways | {f"{name}_working": way for name, way in ways.items()}
        return Judged(KEYS, figures, parts=("structure",))

    def judge(self, dataset: Dataset, size: tuple[int, int]) -> MaskJudge:
        """Masks beside traces."""
        return MaskJudge(dataset, self.head, self.structures, size, cleans=self.config.cleans)

    def summary(self, dataset: Dataset, scores: pl.DataFrame) -> dict[str, Any]:
        """By structure and phase; ejection fractions beside the reported ones, where there are any."""
        labels = None
        if EF in dataset.label_names:
            labels = dataset.usable_clips.select("clip", EF)
        return summarised(scores, list(self.judged.figures), labels)

    @staticmethod
    def summary_lines(summary: Mapping[str, Any]) -> list[str]:
        """A row a structure and phase."""
        return summary_lines(summary)

    def draw(
        self, dataset: Dataset, scores: pl.DataFrame, found: pl.DataFrame, folder: Path
    ) -> Mapping[str, str]:
        """Worst, median and best images, how Dice spreads, and how ejection fractions agree."""
        return draw_scores(dataset, scores, found, LV, folder)


def dice_of(found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """Twice what two masks share, as a share of what they have together; 1 if both are empty."""
    both = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / both if both else 1.0
