"""MADGRAD (Defazio & Jelassi 2021): parameter groups come in, momentumised dual averaging goes out.

With steps counted from k = 0 and λ = lr √(k+1), gradients sum up to s += λ g and their squares to ν += λ g²; from where
training began, that leads to z = x₀ - s / (∛ν + eps), and weights follow z: x += (1 - momentum) (z - x). Where training
began is part of it, so weight decay works best at 0 or close to it. As in the authors' code, lr is lr + eps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import optim

from apical.optimisers.base import OptimiserConfig, OptimiserPiece

__all__ = ["Madgrad", "MadgradConfig"]

COUNT = "k"
"""How many steps were taken: by this name the library has it, beside the states of the weights."""


class MadgradConfig(OptimiserConfig):
    """Settings of MADGRAD."""

    name: Literal["madgrad"] = "madgrad"
    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate; best values are not those of Adam or gradient descent."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """How much of the last weights stays at each step."""
    eps: float = Field(default=1e-6, gt=0)
    """What is added to the cube root of the squares, so that nothing is divided by 0."""


class Madgrad(OptimiserPiece):
    """Scaled weight by weight as in Adam, but by cube roots of sums; weight decay joins the gradient."""

    Config = MadgradConfig

    @staticmethod
    def build(groups: Iterable[dict[str, Any]], config: MadgradConfig, lr: float) -> optim.Optimizer:
        """MADGRAD over these groups, each of which keeps the count of steps as a plain number."""
        from pytorch_optimizer import MADGRAD  # takes seconds to import

        counted = [{**group, COUNT: 0} for group in groups]
        optimiser: optim.Optimizer = MADGRAD(counted, lr=lr, momentum=config.momentum, eps=config.eps)
        optimiser.register_step_pre_hook(_lend_count)
        optimiser.register_step_post_hook(_take_count_back)
        return optimiser


def _lend_count(optimiser: optim.Optimizer, *_: object) -> None:
    """The library keeps the count where a checkpoint has room only for the states of weights."""
    optimiser.state[COUNT] = torch.tensor([optimiser.param_groups[0][COUNT]])  # type: ignore[index]


def _take_count_back(optimiser: optim.Optimizer, *_: object) -> None:
    count = int(optimiser.state.pop(COUNT))  # type: ignore[call-overload]
    for group in optimiser.param_groups:
        group[COUNT] = count
