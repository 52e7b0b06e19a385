"""Whether embeddings are spread out: a batch of them comes in, about 1 when all is well, 0 after collapse, goes out."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["spread"]


@torch.no_grad()
def spread(embeddings: Tensor) -> Tensor:
    """The standard deviation of each dimension of the normalised embeddings (B, D), averaged, times the root of D."""
    directions = functional.normalize(embeddings.float(), dim=1)
    return directions.std(dim=0, correction=0).mean() * math.sqrt(directions.shape[1])
