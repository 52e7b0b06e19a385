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

from apical.backbones.base import Backbone, Features
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
    order_from: Literal["clip", "frames"] = "clip"
    """What the order is told from: the clip's vector by a linear layer, which is the paper's, or the vectors of its
    frames by two layers. The second learns sooner, and needs a backbone that keeps all frames."""
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
        self.order_head = _order_head(config, backbone.num_features)
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
        seen = self.backbone(shuffled(clips, self.orders[orders]))
        patients = batch.patients if self.config.masks_same_patient else None
        projected = self.projector(seen.vector)
        contrast = nt_xent(projected, self.config.temperature, patients)
        told = self.order_head(self._order_features(seen)).float()
        order = functional.cross_entropy(told, orders)
        return {
            "loss": contrast.loss + self.config.order_weight * order,
            "contrast": contrast.loss.detach(),
            "order": order.detach(),
            "accuracy": contrast.accuracy,
            "order_accuracy": (told.argmax(dim=1) == orders).float().mean(),
            "spread": spread(projected),
        }

    def _order_features(self, seen: Features) -> Tensor:
        """(B, D), or (B, T D) of the frames in turn."""
        if self.config.order_from == "clip":
            return seen.vector
        if seen.map.ndim < 5 or seen.map.shape[2] != self.config.frames:
            raise ApicalError(
                "This backbone keeps no map of each frame, from which the order of frames could be told",
                seen=f"{seen.map.shape[2]} of {self.config.frames} frames" if seen.map.ndim == 5 else None,
                remedy="Set method.order_from=clip, or take another backbone, such as tsm_resnet18.",
            )
        return seen.map.mean((3, 4)).transpose(1, 2).flatten(1)

    @classmethod
    def refuse_clips(cls, config: EchoCLRConfig, frames: int) -> None:
        """Those of another length than the orders that are told apart."""
        if frames != config.frames:
            raise ApicalError(
                f"EchoCLR tells the order of {config.frames} frames, but clips have {frames}",
                remedy=f"Set sampling.frames={config.frames}, or method.frames={frames} (from 2 to 6).",
            )


def _order_head(config: EchoCLRConfig, features: int) -> nn.Module:
    """Scores of the T! orders."""
    orders = factorial(config.frames)
    if config.order_from == "clip":
        return nn.Linear(features, orders)
    return nn.Sequential(
        nn.Linear(config.frames * features, features), nn.ReLU(), nn.Linear(features, orders)
    )


def shuffled(clips: Tensor, orders: Tensor) -> Tensor:
    """Clips (B, 1, T, H, W) with their frames in these orders (B, T)."""
    rows = torch.arange(len(clips), device=clips.device)
    return clips.transpose(1, 2)[rows[:, None], orders].transpose(1, 2)
