"""From the clips of a study to the study: what is thought of each comes in, what is thought of all goes out.

A new way is a class here with the same few methods, and a name in `VOTES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["VOTES", "WEIGHT", "Vote"]

WEIGHT = "weight"
"""The column with how much a look counts."""


class Vote(ABC):
    """How the looks at a study's videos become one answer."""

    extra_outputs: int = 0
    """Outputs of the network beside those of the classes."""

    @abstractmethod
    def log_weights(self, extra: Tensor) -> Tensor:
        """(B,): how much each look counts, of the extra outputs (B, E)."""

    @abstractmethod
    def of_studies(self, looks: pl.DataFrame, figures: list[str]) -> pl.DataFrame:
        """Figures by patient and study, of looks, rows (patient, study, clip, weight, figures)."""


class Mean(Vote):
    """The mean over the looks at each video, then over the videos: the paper's."""

    def log_weights(self, extra: Tensor) -> Tensor:
        """All count alike."""
        return extra.new_zeros(len(extra))

    def of_studies(self, looks: pl.DataFrame, figures: list[str]) -> pl.DataFrame:
        """A video that was looked at more often counts no more."""
        videos = looks.group_by("patient", "study", "clip", maintain_order=True).agg(pl.col(figures).mean())
        return videos.group_by("patient", "study", maintain_order=True).agg(pl.col(figures).mean())


class Attention(Vote):
    """A mean in which each look counts as much as the network says: it learns to overlook what shows nothing.

    Weights lie between 0 and 1, one by one (gated attention, Ilse et al. 2018), and are learnt on several videos of a
    study together.
    """

    extra_outputs = 1

    def log_weights(self, extra: Tensor) -> Tensor:
        """The logarithms of the gates."""
        return functional.logsigmoid(extra[:, 0])

    def of_studies(self, looks: pl.DataFrame, figures: list[str]) -> pl.DataFrame:
        """Weighted over all looks at once; where nothing counts, all count alike."""
        weight = pl.col(WEIGHT).clip(lower_bound=torch.finfo(torch.float32).tiny)
        means = [((pl.col(name) * weight).sum() / weight.sum()).alias(name) for name in figures]
        return looks.group_by("patient", "study", maintain_order=True).agg(means)


VOTES: Mapping[str, type[Vote]] = {"mean": Mean, "attention": Attention}
