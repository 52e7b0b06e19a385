"""In how many directions features vary: the vectors of bank and queries come in, effective rank and spread go out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from apical.monitors.base import Embedded, Monitor

__all__ = ["RankMe"]


class RankMe(Monitor):
    """The effective rank of features (Garrido et al. 2023), and how far apart they lie (Chen and He 2021)."""

    higher_is_better: Mapping[str, bool] = {"rankme": True, "feature_spread": True}

    def measure(self, embedded: Embedded) -> Mapping[str, float]:
        """`rankme`, from 1 to D, and `feature_spread`: about 1 when all is well, 0 after collapse."""
        vectors = torch.cat([embedded.bank, embedded.queries]).double()
        if len(vectors) < 2 or not vectors.isfinite().all():
            return {}
        return {"rankme": _effective_rank(vectors), "feature_spread": _spread(vectors)}


def _effective_rank(vectors: Tensor) -> float:
    """The exponential of the entropy of the normalised singular values of (N, D)."""
    gram = vectors @ vectors.T if len(vectors) < vectors.shape[1] else vectors.T @ vectors
    # Several times cheaper than a singular value decomposition, and exact enough in float64.
    singular = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    shares = singular / singular.sum().clamp(min=torch.finfo(singular.dtype).tiny)
    return float(torch.special.entr(shares).sum().exp())


def _spread(vectors: Tensor) -> float:
    """The deviation of each dimension of the normalised vectors (N, D), averaged, times the root of D."""
    deviations = functional.normalize(vectors, dim=1).std(dim=0)
    return float(deviations.mean()) * math.sqrt(vectors.shape[1])
