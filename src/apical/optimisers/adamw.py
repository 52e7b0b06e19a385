"""AdamW (Loshchilov & Hutter 2019): parameter groups come in, Adam with weight decay of its own goes out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field
from torch import optim

from apical.optimisers._moments import MomentsConfig
from apical.optimisers.base import OptimiserPiece

__all__ = ["AdamW", "AdamWConfig"]


class AdamWConfig(MomentsConfig):
    """Settings of AdamW."""

    name: Literal["adamw"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate."""
    weight_decay: float = Field(default=0.01, ge=0)
    """What share of a weight is taken off it at each step, times the learning rate."""


class AdamW(OptimiserPiece):
    """Adam, but weights shrink apart from the gradient and so all at the same pace."""

    Config = AdamWConfig

    @staticmethod
    def build(groups: Iterable[dict[str, Any]], config: AdamWConfig, lr: float) -> optim.Optimizer:
        """AdamW over these groups."""
        return optim.AdamW(groups, lr=lr, betas=config.betas, eps=config.eps, foreach=True)
