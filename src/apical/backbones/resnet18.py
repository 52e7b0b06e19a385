"""ResNet-18: grey images go in, 512 features come out (He 2016)."""

from __future__ import annotations

from typing import Literal

from apical.backbones._resnet import ResNet, ResNetConfig

__all__ = ["ResNet18"]


class ResNet18Config(ResNetConfig):
    """Settings of ResNet-18."""

    name: Literal["resnet18"] = "resnet18"


class ResNet18(ResNet):
    """ResNet-18, D = 512."""

    Config = ResNet18Config
    timm_name = "resnet18"
