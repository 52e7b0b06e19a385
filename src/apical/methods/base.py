"""What a pretraining method is: a module around a backbone; views go in, a loss comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.config import PieceConfig
from apical.methods._pair_views import pair_views
from apical.moment import Moment

__all__ = ["Losses", "Method"]

Losses = Mapping[str, Tensor]
"""Scalars: `loss` is trained on; the others are logged. `spread`, if there, is about 1 when all is well and 0 after
collapse: the standard deviation of each dimension of the normalised embeddings, times the root of their number."""


class Method(nn.Module, ABC):
    """A pretraining method. Nothing in it is random but through the moment and torch's seeded generator."""

    Config: ClassVar[type[PieceConfig]]
    view_groups: ClassVar[tuple[str, ...]] = ("pair",)
    """The groups of views it asks for."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Settings of a pretraining that suit it better than the general ones, as a recipe would give them."""
    advice: ClassVar[str] = "Lower the learning rate (optimiser.lr)."
    """What to try when training goes astray: a sentence."""
    watched: ClassVar[tuple[str, ...]] = ()
    """Which of its losses' figures are taken of held-out patients too, beside the loss."""
    reads_traces: ClassVar[bool] = False
    """Whether it says something of images on which structures are traced; it learns nothing from them."""
    trains_backbone: ClassVar[bool] = True
    """Whether the optimiser changes the backbone; else it should start from one that has learnt already."""
    backbone: Backbone

    def __init__(self, config: PieceConfig, backbone: Backbone) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone

    @property
    def encoder(self) -> Backbone:
        """What training leaves for later stages: the backbone itself, or a teacher."""
        return self.backbone

    @property
    def frames(self) -> int | None:
        """How many frames a sample must have; null takes images, and clips of any length."""
        return None

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        """What later stages take beside the encoder, by the names that checkpoints have for it."""
        return {}

    @classmethod
    def refuse_clips(cls, config: Any, frames: int) -> None:
        """An error if a method with these settings can't learn from samples of so many frames; most can."""
        del config, frames

    @classmethod
    def default_views(cls, size: int) -> Mapping[str, Any]:
        """Settings of its views, by group, for source frames of about `size` pixels; unless it says so, a pair."""
        return pair_views(size)

    @abstractmethod
    def loss(self, batch: Batch, moment: Moment) -> Losses:
        """The loss of one part of the batch; parts on other devices are met through `apical.gathering`."""

    def forward(self, batch: Batch, moment: Moment) -> Losses:
        """The same as `loss`; training calls the module so that wrappers see it."""
        return self.loss(batch, moment)

    def traced_figures(self, images: Tensor, masks: Tensor) -> Mapping[str, float]:  # noqa: ARG002
        """Figures of images (B, 1, H, W) with masks (B, S, H, W), for watching."""
        return {}

    def before_step(self, moment: Moment) -> None:
        """Gradients are ready, not clipped yet; the optimiser has not moved."""

    def after_step(self, moment: Moment) -> None:
        """The optimiser has moved: the time for teachers to follow."""
