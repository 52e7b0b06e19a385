"""A classifier: what an encoder sees of a whole image or clip, and one linear layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from apical.backbones.base import Backbone
from apical.networks.base import Gives, Network, NetworkConfig

__all__ = ["Classifier"]


class ClassifierConfig(NetworkConfig):
    """Settings of the classifier."""

    name: Literal["classifier"] = "classifier"
    dropout: float = Field(default=0.25, ge=0, lt=1)
    """Share of the features that is left out, at random, before the linear layer in each step."""


class Classifier(Network):
    """Dropout and a linear layer on the encoder's vector; clips go to any encoder, frame by frame if it wants that."""

    Config = ClassifierConfig
    gives: ClassVar[Gives] = "vectors"
    backbones: ClassVar[tuple[str, ...]] = (
        "r3d_18",
        "r2plus1d_18",
        "tsm_resnet18",
        "resnet18",
        "resnet50",
        "unet_encoder",
        "vit_small",
    )
    default_backbone: ClassVar[Mapping[str, Any]] = {"name": "r3d_18"}

    def __init__(self, config: ClassifierConfig, backbone: Backbone, num_classes: int) -> None:
        super().__init__(config, backbone, num_classes)
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(backbone.num_features, num_classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def decoded(self, images: Tensor) -> Tensor:
        """The logits (B, K)."""
        logits: Tensor = self.linear(self.dropout(self.backbone(images).vector))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """The logits (B, K), in float32, of images (B, 1, H, W) or clips (B, 1, T, H, W)."""
        return self.decoded(images).float()
