"""Rounds of clusters: all draws and all but one come out whole, however few rows a round has."""

from __future__ import annotations

import numpy as np
import pytest

from apical.statistics import clusters
from apical.statistics.clusters import cluster_codes, cluster_sums, counts_without_one, drawn_counts
from apical.statistics.delong import paired_auroc
from apical.statistics.operating import operating_intervals
from apical.statistics.ranking import auprc_interval
from tests.statistics.judged import studies


def test_codes_count_clusters_as_they_appear() -> None:
    codes, count = cluster_codes(["b", "a", "b", "c"], 4)
    assert (codes.tolist(), count) == ([0, 1, 0, 2], 3)
    assert cluster_sums([1, 2, 4, 8], ["b", "a", "b", "c"])[:, 0].tolist() == [5, 2, 8]


@pytest.mark.parametrize("width", [0, 70_000])
def test_each_cluster_is_left_out_once(width: int) -> None:
    rounds = list(counts_without_one(5, width))
    assert len(rounds) == (5 if width else 1)
    np.testing.assert_array_equal(np.concatenate(rounds), 1 - np.eye(5))


def test_as_many_clusters_are_drawn_as_there_are_and_each_as_often() -> None:
    rounds = list(drawn_counts(50, 4000, seed=1))
    assert len(rounds) > 1
    counts = np.concatenate(rounds)
    assert counts.shape == (4000, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=5 / np.sqrt(4000))
    assert counts.var() == pytest.approx(1 - 1 / 50, rel=0.05)


def test_the_size_of_rounds_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = studies(9, seed=2, second_lead=0.5)

    def results() -> list[object]:
        both = seen.truths, seen.patients
        return [
            auprc_interval(seen.first, *both, resamples=700),
            operating_intervals(seen.first, *both, 0.6, resamples=700),
            paired_auroc(seen.first, seen.second, *both, resamples=700),
            paired_auroc(seen.first, seen.second, *both, resamples=300),
        ]

    large = results()
    monkeypatch.setattr(clusters, "MOST_NUMBERS", 100)
    assert repr(results()) == repr(large)
