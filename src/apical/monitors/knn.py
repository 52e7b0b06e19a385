"""How well neighbours tell a class: the share of queries that the nearest of the bank name rightly, by label."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from apical.monitors.base import Embedded, Monitor
from apical.neighbours import class_scores

__all__ = ["Knn"]


class Knn(Monitor):
    """Weighted 20-nearest-neighbour accuracy as in DINO, and the share of the bank's largest class beside it."""

    higher_is_better: Mapping[str, bool] = {"knn_": True}

    def measure(self, embedded: Embedded) -> Mapping[str, float]:
        """`knn_<label>` and `chance_<label>` for each label that has classes to tell apart."""
        figures: dict[str, float] = {}
        if not (embedded.bank.isfinite().all() and embedded.queries.isfinite().all()):
            return figures
        for label in [label for label in embedded.bank_labels if label in embedded.query_labels]:
            bank_classes, truth = embedded.bank_labels[label], embedded.query_labels[label]
            shares = torch.bincount(bank_classes[bank_classes >= 0]) / (bank_classes >= 0).sum()
            is_known = truth >= 0
            if is_known.any() and (shares > 0).sum() > 1:
                queries = embedded.queries[is_known]
                figures[f"knn_{label}"] = _accuracy(embedded.bank, bank_classes, queries, truth[is_known])
                figures[f"chance_{label}"] = float(shares.max())
        return figures


def _accuracy(bank: Tensor, bank_classes: Tensor, queries: Tensor, truth: Tensor) -> float:
    guesses = class_scores(bank, bank_classes, queries, int(bank_classes.max()) + 1).argmax(dim=1)
    return float((guesses == truth).double().mean())
