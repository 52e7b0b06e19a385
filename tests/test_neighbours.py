"""Nearest neighbours agree with a slow loop, with scikit-learn and with lightly."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from apical import neighbours
from apical.neighbours import class_scores, nearest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lightly.utils.benchmarking import knn_predict


def vectors(count: int, seed: int, size: int = 12) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def slow_scores(bank: Tensor, classes: Tensor, query: Tensor, k: int, temperature: float) -> list[float]:
    alike = [float(torch.dot(row, query) / row.norm() / query.norm()) for row in bank]
    known = [index for index in range(len(bank)) if classes[index] >= 0]
    scores = [0.0, 0.0, 0.0]
    for index in sorted(known, key=lambda index: -alike[index])[:k]:
        scores[int(classes[index])] += math.exp(alike[index] / temperature)
    return scores


def test_scores_are_those_of_a_loop() -> None:
    bank, queries = vectors(40, 0).double(), vectors(9, 1).double()
    classes = torch.arange(40) % 4 - 1
    scores = class_scores(bank, classes, queries, 3, k=7, temperature=0.1)
    slow = torch.tensor([slow_scores(bank, classes, query, 7, 0.1) for query in queries], dtype=torch.float64)
    torch.testing.assert_close(scores, slow)


def test_neighbours_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "SIMILARITIES_AT_ONCE", 150)
    bank, queries = vectors(50, 2), vectors(23, 3)
    indices, cosines = nearest(bank, queries, 6)
    oracle = NearestNeighbors(n_neighbors=6, metric="cosine", algorithm="brute").fit(bank.numpy())
    distances, expected = oracle.kneighbors(queries.numpy())
    assert (indices.numpy() == expected).all()
    torch.testing.assert_close(1 - cosines, torch.from_numpy(distances), atol=1e-5, rtol=0)


def test_guesses_are_those_of_lightly() -> None:
    bank, queries, classes = vectors(200, 4), vectors(60, 5), torch.arange(200) % 3
    unit = torch.nn.functional.normalize
    expected = knn_predict(unit(queries), unit(bank).T, classes, num_classes=3, knn_k=20, knn_t=0.07)[:, 0]
    assert torch.equal(class_scores(bank, classes, queries, 3).argmax(dim=1), expected)


def test_the_scale_of_features_does_not_matter() -> None:
    bank, queries = vectors(30, 6), vectors(5, 7)
    for scale in (1e-30, 1e30):
        torch.testing.assert_close(nearest(bank * scale, queries * scale, 4)[1], nearest(bank, queries, 4)[1])


def test_half_precision_is_read_at_full() -> None:
    bank, queries = vectors(30, 6).bfloat16(), vectors(5, 7).bfloat16()
    assert torch.equal(nearest(bank, queries, 4)[1], nearest(bank.float(), queries.float(), 4)[1])


def test_a_bank_smaller_than_k_gives_all_it_has() -> None:
    indices, _ = nearest(vectors(3, 8), vectors(4, 9), 20)
    assert indices.sort(dim=1).values.tolist() == [[0, 1, 2]] * 4


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_without_a_direction_is_like_nothing(value: float) -> None:
    bank = torch.stack([torch.full((12,), value), *vectors(5, 10)])
    cosines = nearest(bank, bank, 6)[1]
    assert cosines[0].tolist() == [0.0] * 6
    assert cosines[1:].isfinite().all()


def test_an_empty_bank_scores_nothing() -> None:
    scores = class_scores(vectors(4, 11), torch.full((4,), -1), vectors(2, 12), 3)
    assert scores.tolist() == [[0.0] * 3] * 2
