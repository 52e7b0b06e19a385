"""EchoCLR (Holste et al. 2024): multi-instance SimCLR, and in which order the frames of a shuffled clip were.

Every clip is shuffled before it is looked at. A linear head says from the same features that are contrasted which of
the T! orders it has: who can tell knows how a heart moves.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.errors import ApicalError
from apical.methods._contrast import nt_xent
from apical.methods._pair_views import pair_of
from apical.methods._spread import spread
from apical.methods.base import Losses
from apical.methods.mi_simclr import MISimCLR, MISimCLRConfig
from apical.methods.simclr import SimCLRConfig
from apical.moment import Moment

__all__ = ["EchoCLR", "EchoCLRConfig", "shuffled"]


class EchoCLRConfig(MISimCLRConfig):
    """Settings of EchoCLR, by default those of the paper."""

    name: Literal["echoclr"] = "echoclr"  # type: ignore[assignment]
    frames: int = Field(default=4, ge=2, le=6)
    """T, the frames of a clip (sampling.frames must be the same): T! orders are told apart, 720 at most."""
    order_weight: float = Field(default=1.0, ge=0)
    """How much telling the order counts beside the contrast."""


class EchoCLR(MISimCLR):
    """A contrast and an order, from one look at the shuffled clips."""

    Config: ClassVar[type[SimCLRConfig]] = EchoCLRConfig
    watched: ClassVar[tuple[str, ...]] = ("order_accuracy",)
    config: EchoCLRConfig
    orders: Tensor

    def __init__(self, config: EchoCLRConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.order_head = nn.Linear(backbone.num_features, factorial(config.frames))
        self.register_buffer(
            "orders", torch.tensor(list(permutations(range(config.frames)))), persistent=False
        )

    @property
    def frames(self) -> int:
        """T."""
        return self.config.frames

    def loss(self, batch: Batch, moment: Moment) -> Losses:
        """Both, their weighted sum, how often the order is told rightly, and what contrasts say."""
        del moment
        clips = torch.cat(pair_of(batch))
        self.refuse_clips(self.config, clips.shape[2] if clips.ndim == 5 else 1)
        orders = torch.randint(len(self.orders), (len(clips),)).to(clips.device)
        vectors = self.backbone(shuffled(clips, self.orders[orders])).vector
        patients = batch.patients if self.config.masks_same_patient else None
        projected = self.projector(vectors)
        contrast = nt_xent(projected, self.config.temperature, patients)
        told = self.order_head(vectors).float()
        order = functional.cross_entropy(told, orders)
        return {
            "loss": contrast.loss + self.config.order_weight * order,
            "contrast": contrast.loss.detach(),
            "order": order.detach(),
            "accuracy": contrast.accuracy,
            "order_accuracy": (told.argmax(dim=1) == orders).float().mean(),
            "spread": spread(projected),
        }

    @classmethod
    def refuse_clips(cls, config: EchoCLRConfig, frames: int) -> None:
        """Those of another length than the orders that are told apart."""
        if frames != config.frames:
            raise ApicalError(
                f"EchoCLR tells the order of {config.frames} frames, but clips have {frames}",
                remedy=f"Set sampling.frames={config.frames}, or method.frames={frames} (from 2 to 6).",
            )


def shuffled(clips: Tensor, orders: Tensor) -> Tensor:
    """Clips (B, 1, T, H, W) with their frames in these orders (B, T)."""
    rows = torch.arange(len(clips), device=clips.device)
    return clips.transpose(1, 2)[rows[:, None], orders].transpose(1, 2)
