"""The encoder half of a U-Net: grey images go in, maps of 64 to 512 features come out (Saeed 2022)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from apical.backbones._convolutional import ConvolutionalBackbone
from apical.backbones.base import BackboneConfig

__all__ = ["UNetEncoder"]

WIDTHS = (1, 2, 4, 8, 8)
"""Features of each level in units of the first's: the last stays narrow because a bilinear decoder follows."""


class UNetEncoderConfig(BackboneConfig):
    """Settings of the U-Net's encoder."""

    name: Literal["unet_encoder"] = "unet_encoder"
    width: int = Field(default=64, gt=0)
    """Features of the first level; the last has eight times as many."""


class UNetEncoder(ConvolutionalBackbone):
    """Five levels of two convolutions, the sides halved between levels; D = 512, stride 16."""

    Config = UNetEncoderConfig

    def __init__(self, config: UNetEncoderConfig) -> None:
        super().__init__(config)
        widths = [1, *(config.width * units for units in WIDTHS)]
        self.levels = nn.ModuleList(map(double_convolution, widths[:-1], widths[1:]))
        self.halved = nn.MaxPool2d(2)
        self.num_features = widths[-1]
        self.stride = self.smallest = 2 ** (len(WIDTHS) - 1)

    def maps(self, images: Tensor) -> list[Tensor]:
        """The maps of the five levels; the first is as fine as the image."""
        maps = [self.levels[0](images)]
        for level in self.levels[1:]:
            maps.append(level(self.halved(maps[-1])))
        return maps


def double_convolution(num_in: int, num_out: int, num_middle: int | None = None) -> nn.Sequential:
    """Two 3×3 convolutions, each with a norm and a rectifier; `num_middle` features between them, or `num_out`."""
    num_middle = num_middle or num_out
    return nn.Sequential(
        nn.Conv2d(num_in, num_middle, 3, padding=1),
        nn.BatchNorm2d(num_middle),
        nn.ReLU(inplace=True),
        nn.Conv2d(num_middle, num_out, 3, padding=1),
        nn.BatchNorm2d(num_out),
        nn.ReLU(inplace=True),
    )
