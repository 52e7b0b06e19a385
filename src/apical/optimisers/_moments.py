"""The settings that Adam and AdamW share; what torch takes them as goes out."""

from __future__ import annotations

from pydantic import Field

from apical.optimisers.base import OptimiserConfig

__all__ = ["MomentsConfig"]


class MomentsConfig(OptimiserConfig):
    """How an optimiser keeps running means of gradients and of their squares."""

    beta1: float = Field(default=0.9, ge=0, lt=1)
    """How much of the mean of gradients stays at each step."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """How much of the mean of their squares stays at each step."""
    eps: float = Field(default=1e-8, gt=0)
    """What is added to the root of the squares, so that nothing is divided by 0."""

    @property
    def betas(self) -> tuple[float, float]:
        """Both shares that stay."""
        return self.beta1, self.beta2
