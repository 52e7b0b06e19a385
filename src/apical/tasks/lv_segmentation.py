"""Segmentation of the left ventricle and, where they are traced, of the myocardium and the left atrium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from apical.gathering import gather
from apical.tasks._mask_answers import as_shown
from apical.tasks._mask_heads import Exclusive, Independent, MaskHead
from apical.tasks._mask_task import MaskTask, MaskTaskConfig
from apical.tasks.base import Losses, TrainedTask

__all__ = ["LVSegmentation", "LVSegmentationConfig"]

HEADS: Mapping[str, type[MaskHead]] = {"exclusive": Exclusive, "independent": Independent}
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


class LVSegmentationConfig(MaskTaskConfig):
    """Settings of the segmentation."""

    name: Literal["lv_segmentation"] = "lv_segmentation"
    head: Literal["exclusive", "independent"] = "exclusive"
    """Whether a pixel is one of several things, or each structure is a yes or no of its own (the paper's)."""
    cross_entropy: float = Field(default=1.0, ge=0)
    """Weight of the pixels' cross-entropy in the loss."""
    dice: float = Field(default=1.0, ge=0)
    """Weight of one minus the soft Dice, of each structure over the batch, in the loss."""


class LVSegmentation(MaskTask, TrainedTask):
    """Masks from logits."""

    Config = LVSegmentationConfig
    defaults: ClassVar[Mapping[str, Any]] = DEFAULTS
    score: ClassVar[str] = "val_dice"
    config: LVSegmentationConfig

    def __init__(self, config: LVSegmentationConfig) -> None:
        super().__init__(config)
        self.head = HEADS[config.head](len(self.structures))
        self.num_outputs = self.head.num_outputs

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


def soft_dice(beliefs: Tensor, truths: Tensor) -> Tensor:
    """Dice of probabilities and shares (B, S, H, W), over the whole batch of all devices: (S,)."""
    axes = (0, 2, 3)
    sums = torch.stack([(beliefs * truths).sum(axes), beliefs.sum(axes) + truths.sum(axes)])
    shared, both = gather(sums[None]).sum(dim=0).unbind()
    return (2 * shared + SMOOTH).div(both + SMOOTH)
