"""SimCLR (Chen et al. 2020): two views of a sample find each other among the views of all other samples.

Nothing in it knows what a view is: images, clips, or clips of two videos of one study.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field

from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.config import PieceConfig
from apical.methods._contrast import nt_xent
from apical.methods._pair_views import pair_of
from apical.methods._projector import projector
from apical.methods._spread import spread
from apical.methods.base import Losses, Method
from apical.moment import Moment

__all__ = ["SimCLR", "SimCLRConfig"]


class SimCLRConfig(PieceConfig):
    """Settings of SimCLR, by default those of Saeed et al. 2022."""

    name: Literal["simclr"] = "simclr"
    temperature: float = Field(default=0.1, gt=0)
    """What similarities are divided by: the lower, the more the nearest negatives count."""
    hidden_features: int | None = Field(default=None, gt=0)
    """Features between the projector's layers; null takes as many as the backbone has."""
    projected_features: int = Field(default=128, gt=0)
    """Features that are contrasted."""
    masks_same_patient: bool = True
    """Leave other samples of the same patient out of the negatives; the papers do not."""


class SimCLR(Method):
    """A backbone and a projector; the batch of all devices is the pool of negatives."""

    Config: ClassVar[type[SimCLRConfig]] = SimCLRConfig
    advice: ClassVar[str] = "Lower the learning rate (optimiser.lr), or raise method.temperature."
    config: SimCLRConfig

    def __init__(self, config: SimCLRConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        features = backbone.num_features
        widths = features, config.hidden_features or features, config.projected_features
        self.projector = projector(widths, norm=True, last_bias=False)

    def loss(self, batch: Batch, moment: Moment) -> Losses:
        """The contrast, the share of views whose partner is the most alike, and the spread."""
        del moment
        projected = self.projector(self.backbone(torch.cat(pair_of(batch))).vector)
        patients = batch.patients if self.config.masks_same_patient else None
        contrast = nt_xent(projected, self.config.temperature, patients)
        return {"loss": contrast.loss, "accuracy": contrast.accuracy, "spread": spread(projected)}
