"""Nearest neighbours: a bank of feature vectors and queries come in; which are most alike, and class scores, go out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["class_scores", "nearest"]

SIMILARITIES_AT_ONCE = 2**24
"""Queries are worked through in parts, so that a large bank does not fill the memory."""


def nearest(bank: Tensor, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k rows of `bank` (M, D) most alike to each of `queries` (N, D): indices and cosines (N, k), best first.

    A smaller bank gives all of its rows. A vector without a direction (zero, or not finite) is like nothing: 0.
    """
    directions = _directions(bank)
    k = min(k, len(bank))
    rows = max(1, SIMILARITIES_AT_ONCE // max(1, len(bank)))
    found = [(part @ directions.T).topk(k, dim=1) for part in torch.split(_directions(queries), rows)]
    return torch.cat([part.indices for part in found]), torch.cat([part.values for part in found])


def class_scores(
    bank: Tensor,
    bank_classes: Tensor,
    queries: Tensor,
    num_classes: int,
    *,
    k: int = 20,
    temperature: float = 0.07,
) -> Tensor:
    """Scores (N, K) of `queries` (N, D): each of the k nearest of `bank` (M, D) votes exp(cosine / temperature).

    The weighted vote of Wu et al. 2018 and DINO (Caron et al. 2021). A class (M,) of -1 is unknown and has no vote.
    """
    is_known = bank_classes >= 0
    classes = bank_classes[is_known]
    indices, cosines = nearest(bank[is_known], queries, k)
    votes = (cosines / temperature).exp()
    return votes.new_zeros(len(queries), num_classes).scatter_add_(1, classes[indices], votes)


def _directions(vectors: Tensor) -> Tensor:
    """The vectors (N, D) at length 1; what has no direction becomes zero."""
    vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    largest = vectors.abs().amax(dim=1, keepdim=True)
    usable = torch.isfinite(largest) & (largest > 0)
    scaled = torch.where(usable, vectors / largest, 0.0)
    return functional.normalize(scaled, dim=1)
