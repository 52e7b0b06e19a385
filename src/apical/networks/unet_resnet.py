"""A light U-Net over any convolutional backbone, quick on a CPU (Ronneberger 2015; He 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from apical.backbones.base import Backbone
from apical.errors import ApicalError
from apical.networks._decoding import as_fine_as, classifier, map_widths, norm_convolution
from apical.networks.base import Network, NetworkConfig

__all__ = ["UNetResNet"]


class UNetResNetConfig(NetworkConfig):
    """Settings of the light decoder."""

    name: Literal["unet_resnet"] = "unet_resnet"
    widths: tuple[PositiveInt, ...] = Field(default=(256, 128, 64, 32, 16), min_length=1)
    """Features of its levels, from coarse to fine: as many as there are finer maps to join, counted from the end."""


class UNetResNet(Network):
    """From the coarsest map on, each is joined with the next finer one by two convolutions."""

    Config = UNetResNetConfig
    backbones: ClassVar[tuple[str, ...]] = ("resnet18", "resnet50", "unet_encoder")
    default_backbone: ClassVar[Mapping[str, Any]] = {"name": "resnet18", "stride": 32}

    def __init__(self, config: UNetResNetConfig, backbone: Backbone, num_classes: int) -> None:
        super().__init__(config, backbone, num_classes)
        coarsest, *skips = reversed(map_widths(backbone))
        widths = last_widths(config.widths, len(skips))
        joined = [below + skip for below, skip in zip([coarsest, *widths], skips, strict=False)]
        self.levels = nn.ModuleList(map(level, joined, widths))
        self.classifier = classifier(widths[-1], num_classes)

    def decoded(self, images: Tensor) -> Tensor:
        """The logits (B, K, h, w) at the finest map's places: every second pixel over a residual net."""
        latest, *skips = reversed(self.backbone.pyramid(images))
        for join, skip in zip(self.levels, skips, strict=True):
            latest = join(torch.cat([skip, as_fine_as(latest, skip)], 1))
        logits: Tensor = self.classifier(latest)
        return logits


def level(num_in: int, num_out: int) -> nn.Sequential:
    """Two convolutions, each with a norm and a rectifier."""
    return nn.Sequential(norm_convolution(num_in, num_out), norm_convolution(num_out, num_out))


def last_widths(widths: tuple[int, ...], number: int) -> tuple[int, ...]:
    """The last `number` widths; too few are an error."""
    if len(widths) < number:
        raise ApicalError(
            "The network 'unet_resnet' has more levels than widths",
            seen=f"{len(widths)} widths for {number} levels",
            remedy=f"Give {number} numbers or more: network.widths.",
        )
    return widths[-number:]
