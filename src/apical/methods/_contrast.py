"""NT-Xent (Chen et al. 2020): embeddings come in, how well partners find each other among all others goes out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from apical.gathering import gather, rank_and_world

__all__ = ["Contrast", "nt_xent"]


class Contrast(NamedTuple):
    """How this process's samples find their partners among those of all processes."""

    loss: Tensor
    """The mean cross-entropy."""
    accuracy: Tensor
    """The share of samples that are more like their partner than like any other."""


def nt_xent(embeddings: Tensor, temperature: float, patients: Tensor | None = None) -> Contrast:
    """The contrast of embeddings (2 B, D): the first views of all samples, then their second views.

    With `patients` (B,), samples of the same patient are no negatives of each other.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        mine = functional.normalize(embeddings.float(), dim=1)
        scores = mine @ gather(mine).T / temperature
    rank, _ = rank_and_world()
    rows = torch.arange(len(mine), device=mine.device)
    partners = rank * len(mine) + rows.roll(len(mine) // 2)
    is_left_out = functional.one_hot(rank * len(mine) + rows, scores.shape[1]).bool()
    if patients is not None:
        of_rows = patients.repeat(2)
        is_left_out = of_rows[:, None] == gather(of_rows)
        is_left_out[rows, partners] = False
    scores = scores.masked_fill(is_left_out, -torch.inf)
    with torch.no_grad():
        accuracy = (scores.argmax(dim=1) == partners).float().mean()
    return Contrast(functional.cross_entropy(scores, partners), accuracy)
