"""Segmentation of the left ventricle and, where they are traced, of the myocardium and the left atrium."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from pydantic import Field
from torch import Tensor

from apical import registry
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.gathering import gather
from apical.pictures.overlay_sheet import EXPLANATION, Overlay, draw_overlays, overlay_proportion
from apical.pictures.run_sheet import Sheet
from apical.tasks._mask_answers import MaskAnswers, as_shown, traced_images
from apical.tasks._mask_heads import Exclusive, Independent, MaskHead
from apical.tasks._mask_pictures import draw_scores
from apical.tasks._mask_scores import MaskJudge
from apical.tasks._mask_summary import summarised, summary_lines
from apical.tasks.base import Judged, Losses, Pixels, Task, TaskConfig

__all__ = ["LVSegmentation", "LVSegmentationConfig"]

LV = "lv"
STRUCTURES = (LV, "myo", "la")
EF = "ef_percent"
KEYS = ("clip", "frame", "structure")
HEADS: Mapping[str, type[MaskHead]] = {"exclusive": Exclusive, "independent": Independent}
COMMON = 0.5
"""A structure is taken of itself if it is traced in so large a share of the frames in which the ventricle is."""
SMOOTH = 1.0
"""Pixels that are added to both sides of Dice's fraction, so that an empty mask costs no more than it should."""


DEFAULTS: Mapping[str, Any] = {
    "batch_size": 16,
    "fewest_samples": 400,
    "epochs": 24,
    "optimiser": {"name": "adamw", "lr": 1e-3, "weight_decay": 0.01},
    "schedule": {"shape": "cosine", "warmup_epochs": 2},
    "clip_norm": 1.0,
    "average": 0.99,
    "score": "last",
    "least_spread": None,
    "view": {
        "count": 1,
        # About as differently as probes are held and depths are set; apical views are not mirrored at will.
        "place": {"zoom": [0.8, 1.25], "stretch": 0.1, "shift": 0.1, "rotation_degrees": 20.0},
        "augmentations": {
            "depth_gain": {"strength": 0.3, "probability": 0.5},
            "contrast": {"brightness": 0.3, "contrast": 0.3, "probability": 0.8},
            "gamma": {"exponent": [0.6, 1.6], "probability": 0.8},
            "blur": {"sigma": [0.1, 1.0], "probability": 0.3},
            "speckle": {"strength": [0.05, 0.25], "probability": 0.5},
        },
    },
}
"""As in the recipe `lv_segmentation-best`."""


class LVSegmentationConfig(TaskConfig):
    """Settings of the segmentation."""

    name: Literal["lv_segmentation"] = "lv_segmentation"
    structures: tuple[Literal["lv", "myo", "la"], ...] | None = None
    """What is told apart: lv, myo, la; null takes what the dataset has."""
    head: Literal["exclusive", "independent"] = "exclusive"
    """Whether a pixel is one of several things, or each structure is a yes or no of its own (the paper's)."""
    cross_entropy: float = Field(default=1.0, ge=0)
    """Weight of the pixels' cross-entropy in the loss."""
    dice: float = Field(default=1.0, ge=0)
    """Weight of one minus the soft Dice, of each structure over the batch, in the loss."""
    cleans: bool = True
    """Keep the largest connected part of each mask and fill its holes, when masks are judged or given out."""


class LVSegmentation(Task):
    """Masks from images; traced frames are the examples."""

    Config = LVSegmentationConfig
    defaults: ClassVar[Mapping[str, Any]] = DEFAULTS
    score: ClassVar[str] = "val_dice"
    config: LVSegmentationConfig

    def __init__(self, config: LVSegmentationConfig) -> None:
        super().__init__(config)
        assert config.structures is not None, "the settings are settled first"
        self.structures: tuple[str, ...] = config.structures
        self.head = HEADS[config.head](len(self.structures))
        self.num_outputs = self.head.num_outputs

    @classmethod
    def settled(cls, config: LVSegmentationConfig, dataset: Dataset) -> LVSegmentationConfig:
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

    def loss(self, outputs: Tensor, answers: Tensor) -> Losses:
        """Cross-entropy and soft Dice, weighted."""
        surprise = self.head.cross_entropy(outputs, answers).mean()
        overlap = 1 - soft_dice(self.head.beliefs(outputs), answers).mean()
        loss = self.config.cross_entropy * surprise + self.config.dice * overlap
        return {"loss": loss, "cross_entropy": surprise, "soft_dice_loss": overlap}

    def beliefs(self, outputs: Tensor) -> Tensor:
        """(B, S, H, W)."""
        return self.head.beliefs(outputs)

    def carried(self, beliefs: Tensor, warps: Tensor, size: tuple[int, int]) -> Tensor:
        """Moved as the images are."""
        return as_shown(beliefs, warps, size)

    def disagreement(self, outputs: Tensor, beliefs: Tensor, threshold: float) -> Tensor:
        """The loss against the beliefs; pixels of which the teacher is not sure have no part in the cross-entropy."""
        is_sure = self.head.certainty(beliefs) >= threshold
        surprise = (self.head.cross_entropy(outputs, beliefs) * is_sure).mean()
        overlap = 1 - soft_dice(self.head.beliefs(outputs), beliefs).mean()
        return self.config.cross_entropy * surprise + self.config.dice * overlap

    def figures(self, outputs: Tensor, answers: Tensor) -> Mapping[str, Tensor]:
        """Dice of each structure's mask, (B,); `dice` is that of the left ventricle."""
        found, truth = self.head.masks(self.head.beliefs(outputs)), answers > 0.5
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
        return Judged(KEYS, ways | {f"{name}_working": way for name, way in ways.items()})

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


def soft_dice(beliefs: Tensor, truths: Tensor) -> Tensor:
    """Dice of probabilities and shares (B, S, H, W), over the whole batch of all devices: (S,)."""
    axes = (0, 2, 3)
    sums = torch.stack([(beliefs * truths).sum(axes), beliefs.sum(axes) + truths.sum(axes)])
    shared, both = gather(sums[None]).sum(dim=0).unbind()
    return (2 * shared + SMOOTH).div(both + SMOOTH)
