"""What an optimiser piece is: parameters come in, a torch optimiser goes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from apical import registry
from apical.config import PieceConfig

__all__ = ["OptimiserConfig", "OptimiserPiece", "optimiser_of", "parameter_groups"]


class OptimiserConfig(PieceConfig):
    """Settings that every optimiser has."""

    lr: float = Field(gt=0)
    """Peak learning rate."""
    lr_per: int | None = Field(default=None, gt=0)
    """The batch size that `lr` is for: other sizes scale it in proportion; null takes it as it is."""
    weight_decay: float = Field(default=0.0, ge=0)
    """How strongly weights are pulled to nothing."""
    final_weight_decay: float | None = Field(default=None, ge=0)
    """Where weight decay ends along half a cosine; null keeps it level."""
    decays_all: bool = False
    """Let biases and norms decay too."""

    def peak_lr(self, batch_size: int) -> float:
        """The peak learning rate for this batch size."""
        return self.lr if self.lr_per is None else self.lr * batch_size / self.lr_per


class OptimiserPiece(ABC):
    """One kind of optimiser."""

    Config: ClassVar[type[OptimiserConfig]]

    @staticmethod
    @abstractmethod
    def build(groups: Iterable[dict[str, Any]], config: Any, lr: float) -> Optimizer:
        """The optimiser over these parameter groups; each group's own `weight_decay` stands in it."""


def parameter_groups(module: nn.Module, config: OptimiserConfig) -> list[dict[str, Any]]:
    """What is trained in two groups: what decays, and what does not (1-d weights and biases)."""
    trained = [tensor for tensor in module.parameters() if tensor.requires_grad]
    decayed = [tensor for tensor in trained if config.decays_all or tensor.ndim > 1]
    spared: list[Tensor] = [tensor for tensor in trained if not config.decays_all and tensor.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def optimiser_of(module: nn.Module, config: OptimiserConfig, batch_size: int) -> Optimizer:
    """What follows the gradient of a module's loss."""
    piece: type[OptimiserPiece] = registry.load("optimisers", config.name)
    return piece.build(parameter_groups(module, config), config, config.peak_lr(batch_size))
