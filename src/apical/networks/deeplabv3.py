"""DeepLabV3: kernels of several reaches look at a dilated net's last map (Chen 2017; Saeed 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from apical.backbones.base import Backbone
from apical.networks.base import Network, NetworkConfig

__all__ = ["DeepLabV3"]

RATES = {8: (12, 24, 36), 16: (6, 12, 18)}
"""Places of the map between a kernel's taps, by stride: the same distances in pixels for both."""


class DeepLabV3Config(NetworkConfig):
    """Settings of DeepLabV3."""

    name: Literal["deeplabv3"] = "deeplabv3"


class DeepLabV3(Network):
    """torchvision's head: five branches of 256 features, dropout of a half, and no auxiliary head."""

    Config = DeepLabV3Config
    backbones: ClassVar[tuple[str, ...]] = ("resnet50", "resnet18")
    default_backbone: ClassVar[Mapping[str, Any]] = {"name": "resnet50", "stride": 8}
    strides: ClassVar[tuple[int, ...]] = tuple(RATES)
    stride_advice: ClassVar[str] = "a map so coarse that the dilated kernels would look past its edges"

    def __init__(self, config: DeepLabV3Config, backbone: Backbone, num_classes: int) -> None:
        super().__init__(config, backbone, num_classes)
        self.head = DeepLabHead(backbone.num_features, num_classes, RATES[backbone.stride])
        nn.init.zeros_(self.head[-1].bias)

    def decoded(self, images: Tensor) -> Tensor:
        """The logits (B, K, h, w) at the last map's places."""
        logits: Tensor = self.head(self.backbone(images).map)
        return logits
