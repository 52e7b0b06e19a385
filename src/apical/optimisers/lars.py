"""LARS (You et al. 2017): parameter groups come in, gradient descent whose steps fit each tensor's length goes out.

A tensor w with gradient g moves along g + decay w, made `trust` |w| / (|g| + decay |w|) times as long, then through
momentum, then times the learning rate. Weights of one dimension (biases and norms) move as in plain gradient descent:
neither scaled nor decayed, `decays_all` or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field
from torch import optim

from apical.optimisers.base import OptimiserConfig, OptimiserPiece

__all__ = ["Lars", "LarsConfig"]


class LarsConfig(OptimiserConfig):
    """Settings of LARS, by default those of SimCLR (Chen et al. 2020)."""

    name: Literal["lars"] = "lars"
    lr: float = Field(default=0.3, gt=0)
    """Peak learning rate."""
    lr_per: int | None = Field(default=256, gt=0)
    """The batch size that `lr` is for: other sizes scale it in proportion; null takes it as it is."""
    weight_decay: float = Field(default=1e-6, ge=0)
    """How strongly weights of two dimensions or more are pulled to nothing."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """How much of the last step goes into the next."""
    trust: float = Field(default=1e-3, gt=0)
    """How long a step is beside the weights, at a learning rate of 1."""


class Lars(OptimiserPiece):
    """Gradient descent for large batches."""

    Config = LarsConfig

    @staticmethod
    def build(groups: Iterable[dict[str, Any]], config: LarsConfig, lr: float) -> optim.Optimizer:
        """LARS over these groups."""
        from pytorch_optimizer import LARS  # takes seconds to import

        optimiser: optim.Optimizer = LARS(
            groups, lr=lr, momentum=config.momentum, trust_coefficient=config.trust
        )
        return optimiser
