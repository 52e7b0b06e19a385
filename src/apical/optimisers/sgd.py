"""Stochastic gradient descent with momentum: parameter groups come in, an optimiser goes out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from torch import optim

from apical.optimisers.base import OptimiserConfig, OptimiserPiece

__all__ = ["Sgd", "SgdConfig"]


class SgdConfig(OptimiserConfig):
    """Settings of gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(default=0.1, gt=0)
    """Peak learning rate."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """How much of the last step goes into the next."""
    nesterov: bool = False
    """Take the gradient's share of the step as if the next one had begun."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("Give momentum a value above 0, or leave nesterov off")
        return self


class Sgd(OptimiserPiece):
    """A running sum of gradients; weight decay joins the gradient."""

    Config = SgdConfig

    @staticmethod
    def build(groups: Iterable[dict[str, Any]], config: SgdConfig, lr: float) -> optim.Optimizer:
        """Gradient descent over these groups."""
        return optim.SGD(groups, lr=lr, momentum=config.momentum, nesterov=config.nesterov, foreach=True)
