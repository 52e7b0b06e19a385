"""A network that provably looks at one corner of one frame, and at nothing else."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone, BackboneConfig, Features
from apical.networks.classifier import Classifier

T, H, W, CELL = 6, 24, 32, 4
FRAME = 2
ROWS, COLUMNS = slice(0, 8), slice(0, 8)
"""Pixels of the corner."""


class CornerEye(Backbone):
    """Its map is how much light falls on each cell of 4 x 4 pixels, times a weight that is 0 but in one place."""

    Config: ClassVar[type[BackboneConfig]] = BackboneConfig
    takes_clips = True
    num_features = 1
    stride = CELL

    def __init__(self) -> None:
        super().__init__(BackboneConfig(name="corner_eye"))
        weights = torch.zeros(T, H // CELL, W // CELL)
        weights[FRAME, ROWS.start // CELL : ROWS.stop // CELL, COLUMNS.start : COLUMNS.stop // CELL] = 1.0
        self.weights = nn.Parameter(weights)

    def features(self, images: Tensor) -> Features:
        """Of clips; an image is looked at as the one frame that counts."""
        is_clip = images.ndim == 5
        light = functional.avg_pool3d((images if is_clip else images[:, :, None]) ** 2, (1, CELL, CELL))
        seen = light * (self.weights if is_clip else self.weights[FRAME : FRAME + 1])
        return Features(seen.flatten(2).mean(dim=2), seen if is_clip else seen[:, :, 0])


def corner_network(weight: float = 100.0) -> Classifier:
    """A classifier whose one logit rises with what the eye sees."""
    network = Classifier(Classifier.Config(), CornerEye(), 1)
    nn.init.constant_(network.linear.weight, weight)
    return network.eval().requires_grad_(False)


def speckle(*shape: int, seed: int = 0) -> Tensor:
    """Images or clips of that shape, in [0, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def first_logit(outputs: Tensor) -> Tensor:
    """The log-odds of yes."""
    return outputs[:, 0]
