"""ResNet-50: grey images go in, 2048 features come out (He 2016)."""

from __future__ import annotations

from typing import Literal

from apical.backbones._resnet import ResNet, ResNetConfig

__all__ = ["ResNet50"]


class ResNet50Config(ResNetConfig):
    """Settings of ResNet-50."""

    name: Literal["resnet50"] = "resnet50"


class ResNet50(ResNet):
    """ResNet-50, D = 2048."""

    Config = ResNet50Config
    timm_name = "resnet50"
