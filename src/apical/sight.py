"""Frozen eyes: a run comes in; what its encoder sees, as vectors or as scores of parcels, goes out.

Fitted tasks look through them. They are the encoder of a pretraining and, if the run has one, the head that cuts
images into parcels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.encoders import encoder_of, with_weights
from apical.errors import ApicalError
from apical.methods._parcel_head import ParcelHead, ParcelHeadConfig
from apical.run import Run

__all__ = ["Sight", "head_settings", "sight_of"]

HEAD = "head."
PARCELS_BY = "raptor"


class Sight(nn.Module):
    """A frozen encoder, with or without a head."""

    def __init__(self, backbone: Backbone, head: ParcelHead | None) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of parcels (B, K, H, W), as fine as the images (B, 1, H, W); vectors (B, D) without a head."""
        if self.head is None:
            vectors: Tensor = self.backbone(images).vector.float()
            return vectors
        scores = self.head.maps(self.head.seen(self.backbone, images)).float()
        return functional.interpolate(scores, images.shape[-2:], mode="bilinear")


def head_settings(run: Run) -> Mapping[str, Any] | None:
    """The settings of a run's head; none where it has none."""
    own = run.config.get("head") or run.config.get("method", {}).get("head")
    return own if isinstance(own, Mapping) else None


def sight_of(run: Run, *, parcels: bool, which: Literal["last", "best"] = "best") -> Sight:
    """The eyes of a run; with `parcels`, an error says so where it has none."""
    backbone = encoder_of(run, which)
    if not parcels:
        return Sight(backbone, None)
    settings = head_settings(run)
    if settings is None:
        raise ApicalError(
            "This run cuts images into no parcels",
            where=str(run.folder),
            remedy=f"Make them from it, apical pretrain {PARCELS_BY} --init {run.folder.name}, and take that run.",
        )
    head = ParcelHead(backbone, ParcelHeadConfig.model_validate(settings))
    return Sight(backbone, with_weights(head, run, which, HEAD))
