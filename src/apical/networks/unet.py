"""The paper's U-Net: bilinear steps up, each joined with the encoder's map of that size (Saeed 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.backbones.unet_encoder import double_convolution
from apical.networks._decoding import classifier, map_widths
from apical.networks.base import Network, NetworkConfig

__all__ = ["UNet"]


class UNetConfig(NetworkConfig):
    """Settings of the U-Net's decoder."""

    name: Literal["unet"] = "unet"


class UNet(Network):
    """Four steps up to 256, 128, 64 and 64 features, or in proportion to the encoder's width."""

    Config = UNetConfig
    backbones: ClassVar[tuple[str, ...]] = ("unet_encoder",)
    default_backbone: ClassVar[Mapping[str, Any]] = {"name": "unet_encoder"}

    def __init__(self, config: UNetConfig, backbone: Backbone, num_classes: int) -> None:
        super().__init__(config, backbone, num_classes)
        coarsest, *skips = reversed(map_widths(backbone))
        widths = [*skips[1:], skips[-1]]  # those of the map that comes next
        joined = [below + skip for below, skip in zip([coarsest, *widths], skips, strict=False)]
        middles = [num_in // 2 for num_in in joined]
        self.levels = nn.ModuleList(map(double_convolution, joined, widths, middles))
        self.classifier = classifier(widths[-1], num_classes)

    def decoded(self, images: Tensor) -> Tensor:
        """The logits (B, K, H, W)."""
        latest, *skips = reversed(self.backbone.pyramid(images))
        for level, skip in zip(self.levels, skips, strict=True):
            latest = level(torch.cat([skip, doubled(latest, skip)], 1))
        logits: Tensor = self.classifier(latest)
        return logits


def doubled(places: Tensor, skip: Tensor) -> Tensor:
    """A map with twice the places a side, corner on corner, and zeros around it up to the skipped map's size."""
    wide = functional.interpolate(places, scale_factor=2, mode="bilinear", align_corners=True)
    rows, columns = (there - here for there, here in zip(skip.shape[-2:], wide.shape[-2:], strict=True))
    return functional.pad(wide, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
