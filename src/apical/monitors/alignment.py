"""What makes a contrast good: features of two views of each query come in; alignment and uniformity go out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from apical.monitors.base import Embedded, Monitor

__all__ = ["Alignment"]

SHARPNESS = 2.0


class Alignment(Monitor):
    """How near two views of an image lie, and how evenly images fill the sphere (Wang and Isola 2020)."""

    higher_is_better: Mapping[str, bool] = {"alignment": False, "uniformity": False}

    def measure(self, embedded: Embedded) -> Mapping[str, float]:
        """`alignment`, from 0 (views agree) to 4, and `uniformity`, from 0 (all in one place) downwards."""
        views = torch.stack([embedded.first_views, embedded.second_views]).double()
        if views.shape[1] < 2 or not views.isfinite().all():
            return {}
        first, second = functional.normalize(views, dim=2)
        alignment = float((first - second).square().sum(dim=1).mean())
        return {"alignment": alignment, "uniformity": (_uniformity(first) + _uniformity(second)) / 2}


def _uniformity(directions: Tensor) -> float:
    """The logarithm of the mean of exp(-2 d²) over all pairs of (N, D) at distance d."""
    above = torch.triu_indices(len(directions), len(directions), offset=1)
    squares = 2 - 2 * (directions @ directions.T)[above[0], above[1]]
    return float(squares.mul(-SHARPNESS).exp().mean().log())
