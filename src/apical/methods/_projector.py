"""Projectors: the widths of a small perceptron come in, the module goes out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

__all__ = ["projector"]


def projector(
    widths: Sequence[int], *, norm: bool, last_bias: bool, hidden_bias: bool = False
) -> nn.Sequential:
    """Linear layers from width to width, with batch norm (if `norm`) and ReLU between: (B, first) to (B, last).

    Before a norm a bias does nothing, since the norm takes the mean away; hence hidden layers have none by default.
    """
    *hidden, last = pairwise(widths)
    layers: list[nn.Module] = []
    for before, after in hidden:
        layers.append(nn.Linear(before, after, bias=hidden_bias))
        layers.extend([nn.BatchNorm1d(after)] if norm else [])
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers, nn.Linear(*last, bias=last_bias))
