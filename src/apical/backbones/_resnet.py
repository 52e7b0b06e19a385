"""Residual nets: settings come in, timm's net for one grey channel at the wanted stride goes out (He 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import timm
from pydantic import Field, PositiveInt
from torch import Tensor

from apical.backbones._convolutional import ConvolutionalBackbone
from apical.backbones._foreign import IMAGENET, Published, Scale, grey_stem
from apical.backbones._timm import from_timm
from apical.backbones.base import BackboneConfig

__all__ = ["ResNet", "ResNetConfig"]


class ResNetConfig(BackboneConfig):
    """Settings of a residual net."""

    stride: Literal[8, 16, 32] = 8
    """Pixels to one place of the map: below 32 the last stages widen their kernels' reach instead of striding."""
    widths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 128, 256, 512)
    """Features of the four stages. Narrower late ones cost a processor far less, and small images lose little."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """How often the last block is left out in training; earlier ones less, the first never."""
    zero_init: bool = False
    """Start every block as the identity; its convolutions then get no gradient at the first step."""


class ResNet(ConvolutionalBackbone):
    """A residual net."""

    Config: ClassVar[type[ResNetConfig]]
    timm_name: ClassVar[str]
    foreign: ClassVar[Mapping[str, Scale]] = {"imagenet": IMAGENET, "dino": IMAGENET}

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        self.config = config
        self.net = timm_net(self.timm_name, config)
        self.num_features = self.net.num_features
        self.stride = config.stride

    def maps(self, images: Tensor) -> list[Tensor]:
        """The stem's map (stride 2), and those of the four stages."""
        net = self.net
        maps = [net.act1(net.bn1(net.conv1(images)))]
        latest = net.maxpool(maps[0])
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            latest = stage(latest)
            maps.append(latest)
        return maps

    def published(self) -> Mapping[str, Published]:
        """The first ImageNet weights of torchvision, which the papers started from."""
        is_theirs = self.config.widths == ResNetConfig.model_fields["widths"].default
        return {"imagenet": from_timm(f"{self.timm_name}.tv_in1k")} if is_theirs else {}

    def adopted(self, tensors: Mapping[str, Tensor], scale: Scale) -> dict[str, Tensor]:
        """Tensors as torchvision and timm name them, three channels in."""
        own = {f"net.{name}": tensor for name, tensor in tensors.items()}
        return grey_stem(own, scale, conv="net.conv1.weight", absorber="net.bn1.running_mean", sign=1)


def timm_net(name: str, config: ResNetConfig) -> Any:
    """The net as timm builds it: torchvision's, its wider reach below stride 32 included, with random weights."""
    return timm.create_model(
        name,
        in_chans=1,
        num_classes=0,
        output_stride=config.stride,
        channels=config.widths,
        drop_path_rate=config.drop_path,
        zero_init_last=config.zero_init,
    )
