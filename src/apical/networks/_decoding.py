"""What decoders share: small layers, and maps and images made to fit each other."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone

__all__ = ["as_fine_as", "classifier", "map_widths", "norm_convolution", "resized", "whole_places"]

PROBE = 32
"""Side, in pixels, of the image that shows how wide a backbone's maps are."""


def norm_convolution(num_in: int, num_out: int, stride: int = 1) -> nn.Sequential:
    """A 3×3 convolution, a norm and a rectifier; without a bias, since the norm would take it away."""
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(num_out),
        nn.ReLU(inplace=True),
    )


def classifier(num_in: int, num_classes: int) -> nn.Conv2d:
    """The last convolution, 1×1: every class starts with a bias of 0."""
    layer = nn.Conv2d(num_in, num_classes, 1)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # it has one
    return layer


def as_fine_as(places: Tensor, finer: Tensor) -> Tensor:
    """A map (B, D, h, w) as high and wide as a finer one.

    Each place is repeated: on a CPU in half the time of bilinear weights or less, the same every time on every
    device, and the convolutions that follow smooth it as they learn to.
    """
    size = finer.shape[-2:]
    if places.shape[-2:] == size:
        return places
    return functional.interpolate(places, size=size, mode="nearest-exact")


def resized(logits: Tensor, images: Tensor) -> Tensor:
    """The logits (B, K, h, w), bilinearly as high and wide as the images."""
    size = images.shape[-2:]
    if logits.shape[-2:] == size:
        return logits
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def whole_places(images: Tensor, side: int) -> Tensor:
    """Images (B, 1, H, W) with black added below and to the right, so that `side` divides both sides."""
    height, width = images.shape[-2:]
    return functional.pad(images, (0, -width % side, 0, -height % side))


@torch.no_grad()
def map_widths(backbone: Backbone) -> list[int]:
    """How many features the maps of its pyramid have, from the finest to the coarsest; tried out on a copy."""
    side = max(PROBE, backbone.smallest)
    black = torch.zeros(1, 1, side, side, device=backbone.input_mean.device)
    return [places.shape[1] for places in copy.deepcopy(backbone).eval().pyramid(black)]
