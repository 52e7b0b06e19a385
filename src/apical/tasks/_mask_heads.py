"""How a network's outputs say which pixel is what: as one of several classes, or as a yes or no for each structure."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Exclusive", "Independent", "MaskHead"]


class MaskHead(ABC):
    """Outputs (B, K, H, W) in, probabilities of the structures (B, S, H, W) out; truths are shares from 0 to 1."""

    def __init__(self, num_structures: int) -> None:
        self.num_structures = num_structures

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """K."""

    @abstractmethod
    def beliefs(self, outputs: Tensor) -> Tensor:
        """Probabilities (B, S, H, W)."""

    @abstractmethod
    def cross_entropy(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """(B, H, W): how surprising the truths (B, S, H, W) are."""

    @abstractmethod
    def certainty(self, beliefs: Tensor) -> Tensor:
        """(B, H, W): the probability of the likeliest answer."""

    @abstractmethod
    def masks(self, beliefs: Tensor) -> Tensor:
        """(B, S, H, W), bool: the likeliest answer."""


class Exclusive(MaskHead):
    """A pixel is background or one of the structures; the first output is that of the background."""

    @property
    def num_outputs(self) -> int:
        """One more than there are structures."""
        return self.num_structures + 1

    def beliefs(self, outputs: Tensor) -> Tensor:
        """The softmax, without the background."""
        return outputs.softmax(dim=1)[:, 1:]

    def cross_entropy(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Between distributions over background and structures."""
        return -(_with_background(truths) * outputs.log_softmax(dim=1)).sum(dim=1)

    def certainty(self, beliefs: Tensor) -> Tensor:
        """Of structures and background, the largest."""
        return _with_background(beliefs).amax(dim=1)

    def masks(self, beliefs: Tensor) -> Tensor:
        """No pixel is in two masks."""
        winner = _with_background(beliefs).argmax(dim=1, keepdim=True)
        numbers = torch.arange(1, self.num_outputs, device=beliefs.device).view(1, -1, 1, 1)
        return winner == numbers


class Independent(MaskHead):
    """Each structure is there or not, whatever else is (the paper's single logit, where there is one structure)."""

    @property
    def num_outputs(self) -> int:
        """One for each structure."""
        return self.num_structures

    def beliefs(self, outputs: Tensor) -> Tensor:
        """The logistic function of each output."""
        return outputs.sigmoid()

    def cross_entropy(self, outputs: Tensor, truths: Tensor) -> Tensor:
        """Binary, the mean over structures."""
        return functional.binary_cross_entropy_with_logits(outputs, truths, reduction="none").mean(dim=1)

    def certainty(self, beliefs: Tensor) -> Tensor:
        """Of the structure that is least sure."""
        return torch.maximum(beliefs, 1 - beliefs).amin(dim=1)

    def masks(self, beliefs: Tensor) -> Tensor:
        """More likely than not."""
        return beliefs > 0.5


def _with_background(shares: Tensor) -> Tensor:
    """(B, 1 + S, H, W): what is no structure is background."""
    return torch.cat([(1 - shares.sum(dim=1, keepdim=True)).clamp(min=0), shares], dim=1)
