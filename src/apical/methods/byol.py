"""BYOL (Grill et al. 2020): from one view, foretell what a slowly following copy of the network sees in the other.

There are no negatives. What keeps all embeddings from becoming the same is the predictor, which only the trained
network has, and the copy's slowness.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.config import PieceConfig
from apical.methods._pair_views import pair_of
from apical.methods._projector import projector
from apical.methods._spread import spread
from apical.methods._teacher import follow, teacher_of
from apical.methods.base import Losses, Method
from apical.moment import Moment
from apical.schedules import cosine

__all__ = ["BYOL", "BYOLConfig"]


class BYOLConfig(PieceConfig):
    """Settings of BYOL, by default those of the paper."""

    name: Literal["byol"] = "byol"
    hidden_features: int = Field(default=4096, gt=0)
    """Features between the layers of the projector and of the predictor."""
    projected_features: int = Field(default=256, gt=0)
    """Features that are foretold."""
    norm_output: bool = False
    """End the projector in a batch norm, which takes away what all embeddings share; the paper has none there."""
    teacher_momentum: float = Field(default=0.996, ge=0, le=1)
    """How much of the teacher stays at the first step; it rises to 1 along half a cosine."""


class BYOL(Method):
    """A student (backbone, projector, predictor) and its teacher (backbone, projector)."""

    Config = BYOLConfig
    # The loss is no score: a network that sees nothing foretells itself without fail.
    defaults: ClassVar[Mapping[str, Any]] = {"score": "rankme"}
    advice: ClassVar[str] = (
        "Lower the learning rate (optimiser.lr), enlarge the batch, or bring method.teacher_momentum closer to 1."
    )
    config: BYOLConfig

    def __init__(self, config: BYOLConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        features, hidden, out = backbone.num_features, config.hidden_features, config.projected_features
        self.projector = projector([features, hidden, out], norm=True, last_bias=True)
        if config.norm_output:
            # As in SimSiam and MoCo v3. Else most of the loss falls by foretelling the direction that all embeddings
            # have in common, and small nets forget what they saw at first.
            self.projector.append(nn.BatchNorm1d(out, affine=False))
        self.predictor = projector([out, hidden, out], norm=True, last_bias=True)
        self.teacher_backbone = teacher_of(self.backbone)
        self.teacher_projector = teacher_of(self.projector)

    def loss(self, batch: Batch, moment: Moment) -> Losses:
        """The error of foretelling either view from the other, 0 to 8, and the spread of the teacher's embeddings."""
        del moment
        one, other = pair_of(batch)
        with torch.no_grad():
            teacher = [self.teacher_projector(self.teacher_backbone(view).vector) for view in (one, other)]
        student = [self.predictor(self.projector(self.backbone(view).vector)) for view in (one, other)]
        loss = foretelling_error(student[0], teacher[1]) + foretelling_error(student[1], teacher[0])
        return {"loss": loss, "spread": spread(torch.cat(teacher))}

    def after_step(self, moment: Moment) -> None:
        """The teacher follows the student."""
        momentum = cosine(self.config.teacher_momentum, 1.0, moment.fraction)
        follow(self.teacher_backbone, self.backbone, momentum)
        follow(self.teacher_projector, self.projector, momentum)


def foretelling_error(foretold: Tensor, seen: Tensor) -> Tensor:
    """The squared distance of the directions of (B, D) and (B, D), averaged over the batch: 2 - 2 cos."""
    return 2 - 2 * functional.cosine_similarity(foretold.float(), seen.float(), dim=1).mean()
