"""The light U-Net joins every map at its own size."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from apical import registry
from apical.encoders import backbone_from
from apical.errors import ApicalError
from apical.networks.unet_resnet import UNetResNet
from tests.backbones.material import grey_images


def over_resnet18(stride: int = 32, **settings: Any) -> UNetResNet:
    kind = registry.load("backbones", "resnet18")
    return UNetResNet(UNetResNet.Config(**settings), backbone_from(kind.Config(stride=stride)), 1).eval()


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_it_has_the_same_decoder_and_ends_at_half_the_images_size_at_any_stride(stride: int) -> None:
    network = over_resnet18(stride)
    with torch.no_grad():
        assert network.decoded(grey_images(1, 1, 64, 96)).shape == (1, 1, 32, 48)
    weights = [weight.shape for weight in network.decoder_parameters]
    assert weights == [weight.shape for weight in over_resnet18().decoder_parameters]


def test_widths_are_counted_from_the_end() -> None:
    firsts = [level[0][0].weight.shape[:2] for level in over_resnet18().levels]  # type: ignore[index]
    assert firsts == [(128, 512 + 256), (64, 128 + 128), (32, 64 + 64), (16, 32 + 64)]
    assert over_resnet18(widths=(9, 8, 7, 6)).classifier.in_channels == 6


def test_too_few_widths_are_refused() -> None:
    with pytest.raises(ApicalError, match=r"2 widths for 4 levels.*network\.widths"):
        over_resnet18(widths=(32, 16))
