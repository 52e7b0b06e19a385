"""AUROC and AUPRC are scikit-learn's, weights stand for repeats, and intervals by patient cover what they say."""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from apical.statistics.bootstrap import Estimate
from apical.statistics.ranking import auprc, auprc_interval, auroc, auroc_interval
from tests.statistics.judged import studies

BOTH = [(auroc, roc_auc_score), (auprc, average_precision_score)]
INTERVALS = [auroc_interval, auprc_interval]
Figure = Callable[..., float]
Interval = Callable[..., Estimate]
ROWS = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), min_size=2, max_size=25)


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
@pytest.mark.parametrize("decimals", [12, 1], ids=["without ties", "with ties"])
def test_figures_are_those_of_scikit_learn(ours: Figure, theirs: Figure, decimals: int) -> None:
    for seed in range(5):
        seen = studies(60, seed, decimals=decimals)
        assert ours(seen.first, seen.truths) == pytest.approx(theirs(seen.truths, seen.first))


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
@given(rows=ROWS)
def test_weights_are_repeats(ours: Figure, theirs: Figure, rows: list[tuple[int, bool, int]]) -> None:
    scores, truths, weights = (np.array(column) for column in zip(*rows, strict=True))
    found = ours(scores, truths, weights)
    repeated = np.repeat(scores, weights), np.repeat(truths, weights)
    if len(set(repeated[1].tolist())) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(ours(*repeated)) == pytest.approx(theirs(repeated[1], repeated[0]))


def test_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    seen = studies(30, seed=3, decimals=1)
    positives, negatives = seen.first[seen.truths], seen.first[~seen.truths]
    pairs = [(a > b) + (a == b) / 2 for a in positives for b in negatives]
    assert auroc(seen.first, seen.truths) == pytest.approx(np.mean(pairs))


def test_a_small_average_precision_by_hand() -> None:
    assert auprc([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]) == pytest.approx((1 + 2 / 3) / 2)
    assert auprc([0.5, 0.5, 0.5, 0.1], [1, 0, 1, 0]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("figure", [auroc, auprc])
@pytest.mark.parametrize("truths", [[], [0, 0, 0], [1, 1, 1]])
def test_without_both_classes_there_is_no_figure(figure: Figure, truths: list[int]) -> None:
    assert math.isnan(figure([0.2, 0.4, 0.4][: len(truths)], truths))


@pytest.mark.parametrize("interval", INTERVALS)
def test_limits_are_those_of_a_slow_loop_over_drawn_patients_and_scipys_bca(interval: Interval) -> None:
    seen = studies(40, seed=4)
    figure = {auroc_interval: auroc, auprc_interval: auprc}[interval]
    rows = [np.flatnonzero(seen.patients == number) for number in range(40)]

    def of_patients(drawn: np.ndarray[tuple[int], np.dtype[np.intp]]) -> float:
        chosen = np.concatenate([rows[number] for number in drawn])
        return figure(seen.first[chosen], seen.truths[chosen])

    found = interval(seen.first, seen.truths, seen.patients, resamples=2000, seed=7)
    theirs = stats.bootstrap((np.arange(40),), of_patients, vectorized=False, n_resamples=2000, rng=7)
    limits = theirs.confidence_interval
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high), rel=1e-9)
    assert found.value == pytest.approx(of_patients(np.arange(40)))
    assert found.num_clusters == 40


def coverage(interval: Interval, truth: float, simulations: int, by_study: bool = False) -> float:
    """Share of simulated sets of 60 patients whose interval holds the truth."""
    held = 0
    for seed in range(simulations):
        seen = studies(60, seed)
        clusters: Sequence[int] = range(seen.truths.size) if by_study else seen.patients.tolist()
        found = interval(seen.first, seen.truths, clusters, resamples=500, seed=seed)
        held += found.low <= truth <= found.high
    return held / simulations


@pytest.mark.parametrize("interval", INTERVALS)
def test_95_percent_limits_by_patient_hold_the_truth_about_95_times_in_100(interval: Interval) -> None:
    many = studies(40_000, seed=99)
    figure = {auroc_interval: auroc, auprc_interval: auprc}[interval]
    truth = figure(many.first, many.truths)
    three_standard_errors = 3 * math.sqrt(0.95 * 0.05 / 400)
    assert 0.93 - three_standard_errors < coverage(interval, truth, 400) < 0.95 + three_standard_errors


def test_limits_by_study_hold_the_truth_too_seldom() -> None:
    many = studies(40_000, seed=99)
    assert coverage(auroc_interval, auroc(many.first, many.truths), 200, by_study=True) < 0.85


@pytest.mark.parametrize("interval", INTERVALS)
def test_perfect_separation_leaves_nothing_to_vary(interval: Interval) -> None:
    found = interval([0.1, 0.2, 0.3, 0.7, 0.9], [0, 0, 0, 1, 1], [*"abcde"], resamples=500)
    assert (found.low, found.value, found.high) == (1, 1, 1)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    ("truths", "patients"),
    [([], ""), ([1], "a"), ([0, 1], "aa"), ([1, 1, 1], "abc"), ([0, 0, 0], "abb")],
    ids=["none", "one", "one patient", "no negatives", "no positives"],
)
def test_too_little_gives_no_limits(interval: Interval, truths: list[int], patients: str) -> None:
    found = interval([0.2, 0.6, 0.4][: len(truths)], truths, patients, resamples=50)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(found.value) == (len(set(truths)) < 2)
    assert found.num_clusters == len(set(patients))


@pytest.mark.parametrize("interval", INTERVALS)
def test_draws_without_both_classes_are_left_out(interval: Interval) -> None:
    found = interval([0.2, 0.6], [0, 1], [*"ab"], resamples=100)
    assert (found.low, found.value, found.high) == (1, 1, 1)
    lone = interval([0.5, 0.1, 0.4, 0.6, 0.3], [1, 0, 0, 0, 0], [*"abcde"], resamples=500)
    assert 0 <= lone.low <= lone.value <= lone.high <= 1


def test_the_same_seed_gives_the_same_limits_and_neither_order_nor_names_matter() -> None:
    seen = studies(30, seed=1)
    names = [f"patient{number}" for number in seen.patients]
    plain, renamed, other = (
        auroc_interval(seen.first, seen.truths, clusters, resamples=500, seed=seed)
        for clusters, seed in ((seen.patients, 0), (names, 0), (names, 1))
    )
    assert plain == renamed
    assert plain != other
    logits = auroc_interval(np.log(seen.first), seen.truths, names, resamples=500)
    assert logits == plain


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="scores of shape"):
        auroc([0.1, 0.2], [1])
    with pytest.raises(ValueError, match="weights of shape"):
        auroc([0.1, 0.2], [1, 0], [1])
    with pytest.raises(ValueError, match="1 scores are no numbers"):
        auprc([0.1, math.nan], [1, 0])
    with pytest.raises(ValueError, match="0 or 1"):
        auroc([0.1, 0.2], [1, 2])
    with pytest.raises(ValueError, match="2 values, but the clusters of 3"):
        auroc_interval([0.1, 0.2], [1, 0], [*"abc"])


def test_ten_thousand_resamples_of_two_thousand_studies_take_a_moment_in_little_memory() -> None:
    seen = studies(800, seed=0)
    for interval in INTERVALS:
        began = time.process_time()
        interval(seen.first, seen.truths, seen.patients)
        assert time.process_time() - began < 4
    tracemalloc.start()
    auprc_interval(seen.first, seen.truths, seen.patients, resamples=1000)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()
