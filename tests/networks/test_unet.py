"""The U-Net is the paper's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from apical.backbones.unet_encoder import UNetEncoder
from apical.networks.unet import UNet
from tests.backbones.material import grey_images, lived_in

ENCODER = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 512)]
DECODER = [(512 + 512, 512, 256), (256 + 256, 256, 128), (128 + 128, 128, 64), (64 + 64, 64, 64)]
"""Features before, between and after the two convolutions of a step up."""


def unet(width: int, num_classes: int = 1) -> UNet:
    torch.manual_seed(0)
    return UNet(UNet.Config(), UNetEncoder(UNetEncoder.Config(width=width)), num_classes)


def weights_of(num_in: int, num_middle: int, num_out: int) -> int:
    """Of two 3×3 convolutions with biases, each followed by a norm's weight and bias."""
    first = num_middle * num_in * 9 + num_middle + 2 * num_middle
    second = num_out * num_middle * 9 + num_out + 2 * num_out
    return first + second


def test_it_has_as_many_weights_as_the_paper_says() -> None:
    encoder = sum(weights_of(num_in, num_out, num_out) for num_in, num_out in ENCODER)
    decoder = sum(weights_of(*widths) for widths in DECODER) + 64 + 1
    network = unet(64)
    assert sum(weight.numel() for weight in network.parameters()) == encoder + decoder == 17_266_241
    assert sum(weight.numel() for weight in network.decoder_parameters) == decoder


def line(places: int) -> Tensor:
    """(2N, N): takes values on a line to twice as many between the same ends."""
    matrix = torch.zeros(2 * places, places)
    for index in range(2 * places):
        at = index * (places - 1) / (2 * places - 1)
        left = min(int(at), places - 2)
        matrix[index, left] = 1 - (at - left)
        matrix[index, left + 1] = at - left
    return matrix


def stepped_up(coarse: Tensor, skip: Tensor) -> Tensor:
    """Doubled by two products, put into the middle of zeros, and laid behind the skipped map."""
    wide = torch.einsum("yh,bchw,xw->bcyx", line(coarse.shape[2]), coarse, line(coarse.shape[3]))
    around = torch.zeros(*wide.shape[:2], *skip.shape[2:])
    top, left = ((there - here) // 2 for there, here in zip(skip.shape[2:], wide.shape[2:], strict=True))
    around[:, :, top : top + wide.shape[2], left : left + wide.shape[3]] = wide
    return torch.cat([skip, around], 1)


def normed(network: UNet, places: Tensor, level: int, conv: int) -> Tensor:
    """A convolution, its norm in evaluation mode and a rectifier, written out."""
    state, at = network.state_dict(), f"levels.{level}"
    places = functional.conv2d(places, state[f"{at}.{conv}.weight"], state[f"{at}.{conv}.bias"], padding=1)
    mean, var, weight, bias = (
        state[f"{at}.{conv + 1}.{name}"].view(1, -1, 1, 1)
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    rectified: Tensor = ((places - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)
    return rectified


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 69)])
def test_it_computes_what_the_paper_says_step_by_step(height: int, width: int) -> None:
    network, images = lived_in(unet(8, num_classes=2)), grey_images(2, 1, height, width)
    with torch.no_grad():
        latest, *skips = reversed(network.backbone.pyramid(images))
        for level, skip in enumerate(skips):
            latest = normed(network, normed(network, stepped_up(latest, skip), level, 0), level, 3)
        expected = torch.einsum("kd,bdhw->bkhw", network.classifier.weight[:, :, 0, 0], latest)
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)
