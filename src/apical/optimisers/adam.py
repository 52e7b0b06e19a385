"""Adam (Kingma & Ba 2015): parameter groups come in, an optimiser whose steps are scaled weight by weight goes out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field
from torch import optim

from apical.optimisers._moments import MomentsConfig
from apical.optimisers.base import OptimiserPiece

__all__ = ["Adam", "AdamConfig"]


class AdamConfig(MomentsConfig):
    """Settings of Adam."""

    name: Literal["adam"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate."""


class Adam(OptimiserPiece):
    """Running means of gradients, divided by the root of the mean of their squares; weight decay joins the gradient."""

    Config = AdamConfig

    @staticmethod
    def build(groups: Iterable[dict[str, Any]], config: AdamConfig, lr: float) -> optim.Optimizer:
        """Adam over these groups; see `apical.optimisers` on why it is not the fused one."""
        return optim.Adam(groups, lr=lr, betas=config.betas, eps=config.eps, foreach=True)
