"""The head of DINO (Caron et al. 2021, appendix C): a backbone's vectors come in, scores of many prototypes go out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["DinoHead", "Prototypes"]


class Prototypes(nn.Module):
    """The last layer: points (B, D) of length 1 to their products with K directions, (B, K).

    Only the direction of each row of `weight` counts; the rows' lengths are 1, or trained where `fixed_length` is off.
    """

    def __init__(self, num_features: int, count: int, fixed_length: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, num_features))
        self.length = nn.Parameter(torch.ones(count), requires_grad=not fixed_length)
        nn.init.uniform_(self.weight, -(num_features**-0.5), num_features**-0.5)  # as torch's linear layers

    def forward(self, points: Tensor) -> Tensor:
        """The scores."""
        return functional.linear(points, functional.normalize(self.weight, dim=1)) * self.length


class DinoHead(nn.Module):
    """`bottleneck` takes vectors (B, D) to points of length 1, `prototypes` takes those to scores (B, K)."""

    def __init__(
        self, widths: tuple[int, int, int], prototypes: int, fixed_length: bool, norm: bool = False
    ) -> None:
        """`widths`: features of the vectors, between the layers, and of the points; `norm`: between the layers."""
        super().__init__()
        features, hidden, bottleneck = widths
        norms = [[nn.BatchNorm1d(hidden)] if norm else [] for _ in range(2)]
        self.layers = nn.Sequential(
            nn.Linear(features, hidden),
            *norms[0],
            nn.GELU(),
            nn.Linear(hidden, hidden),
            *norms[1],
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        self.prototypes = Prototypes(bottleneck, prototypes, fixed_length)
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def bottleneck(self, vectors: Tensor) -> Tensor:
        """The points that prototypes are compared with."""
        return functional.normalize(self.layers(vectors), dim=1)

    def forward(self, vectors: Tensor) -> Tensor:
        """The scores of vectors."""
        scores: Tensor = self.prototypes(self.bottleneck(vectors))
        return scores
