"""kNN accuracy is that of scikit-learn, and stands beside what one answer for all would reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from apical.monitors.base import Embedded
from apical.monitors.knn import Knn


def embedded(**labels: tuple[torch.Tensor, torch.Tensor]) -> Embedded:
    bank, queries = torch.randn(2, 60, 8, generator=torch.Generator().manual_seed(0))
    return Embedded(
        bank=bank,
        queries=queries,
        first_views=queries,
        second_views=queries,
        bank_labels={name: codes[0] for name, codes in labels.items()},
        query_labels={name: codes[1] for name, codes in labels.items()},
    )


def by_direction(vectors: torch.Tensor) -> torch.Tensor:
    """Three classes that directions tell, mostly."""
    return vectors[:, :3].argmax(dim=1)


def test_the_accuracy_is_that_of_scikit_learn() -> None:
    features = embedded()
    truth = by_direction(features.bank), by_direction(features.queries)
    figures = Knn().measure(replace(features, bank_labels={"a": truth[0]}, query_labels={"a": truth[1]}))

    def votes(distances: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp((1 - distances) / 0.07))

    oracle = KNeighborsClassifier(n_neighbors=20, metric="cosine", weights=votes, algorithm="brute")
    oracle.fit(features.bank.numpy(), truth[0].numpy())
    expected = oracle.score(features.queries.numpy(), truth[1].numpy())
    assert figures["knn_a"] == pytest.approx(expected)
    assert figures["knn_a"] > figures["chance_a"] + 0.2


def test_chance_is_the_share_of_the_largest_known_class_of_the_bank() -> None:
    bank = torch.tensor([-1] * 20 + [0] * 10 + [1] * 30)
    figures = Knn().measure(embedded(a=(bank, torch.arange(60) % 2)))
    assert figures["chance_a"] == 0.75


def test_unknown_classes_neither_vote_nor_count() -> None:
    features = embedded()
    bank, queries = by_direction(features.bank), by_direction(features.queries)
    unknown = torch.arange(60) >= 40
    kept = Embedded(
        bank=features.bank[:40],
        queries=features.queries[:40],
        first_views=features.queries,
        second_views=features.queries,
        bank_labels={"a": bank[:40]},
        query_labels={"a": queries[:40]},
    )
    masked = {"a": torch.where(unknown, -1, bank)}, {"a": torch.where(unknown, -1, queries)}
    figures = Knn().measure(replace(features, bank_labels=masked[0], query_labels=masked[1]))
    assert figures == Knn().measure(kept)


def test_labels_that_can_tell_nothing_are_left_out() -> None:
    two, one, none = torch.arange(60) % 2, torch.zeros(60, dtype=torch.long), torch.full((60,), -1)
    features = embedded(single=(one, two), unasked=(two, none), unknown=(none, two), good=(two, two))
    only_asked = replace(features, query_labels={**features.query_labels, "elsewhere": two})
    assert set(Knn().measure(only_asked)) == {"knn_good", "chance_good"}


def test_a_class_that_the_bank_lacks_counts_as_missed() -> None:
    two, other = torch.arange(60) % 2, torch.full((60,), 5)
    assert Knn().measure(embedded(a=(two, other)))["knn_a"] == 0.0
