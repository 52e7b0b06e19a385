"""A linear probe: how much of a segmentation stands in the last map already (Alain 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from apical.backbones.base import Backbone
from apical.networks._decoding import classifier, resized, whole_places
from apical.networks.base import Network, NetworkConfig

__all__ = ["LinearProbe"]


class LinearProbeConfig(NetworkConfig):
    """Settings of the linear probe."""

    name: Literal["linear"] = "linear"


class LinearProbe(Network):
    """A norm without weights, so that all features count alike at first, and one 1×1 convolution."""

    Config = LinearProbeConfig
    backbones: ClassVar[tuple[str, ...]] = (
        "resnet18",
        "resnet50",
        "unet_encoder",
        "vit_small",
        "r3d_18",
        "r2plus1d_18",
        "tsm_resnet18",
    )
    default_backbone: ClassVar[Mapping[str, Any]] = {"name": "vit_small"}

    def __init__(self, config: LinearProbeConfig, backbone: Backbone, num_classes: int) -> None:
        super().__init__(config, backbone, num_classes)
        self.norm = nn.BatchNorm2d(backbone.num_features, affine=False)
        self.classifier = classifier(backbone.num_features, num_classes)

    def decoded(self, images: Tensor) -> Tensor:
        """The logits (B, K, H, W); each place is spread over the pixels that it was made of."""
        whole = whole_places(images, self.backbone.stride)
        logits = self.classifier(self.norm(self.backbone(whole).map))
        return resized(logits.float(), whole)[..., : images.shape[-2], : images.shape[-1]]
