"""DeLong's formula is that of a slow loop, comparisons of patients raise no false alarms, and nothing breaks."""

from __future__ import annotations

import math
from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from apical.statistics.delong import delong, delong_interval, paired_auroc
from apical.statistics.ranking import auroc, auroc_interval
from tests.statistics.judged import Array, Studies, studies


def placements(scores: Array, truths: Array) -> tuple[Array, Array]:
    """The slow obvious way: the mean over the other class of each positive (P,) and negative (Q,)."""
    wins = np.array(
        [[(a > b) + (a == b) / 2 for b in scores[truths == 0]] for a in scores[truths == 1]], dtype=float
    )
    return wins.mean(axis=1), wins.mean(axis=0)


def variance(first: Array, second: Array, truths: Array) -> float:
    """Of the difference of two AUROCs, from the covariance matrices of the placements."""
    ours, theirs = placements(first, truths), placements(second, truths)
    found = sum(np.cov(np.stack(pair)) / pair[0].size for pair in zip(ours, theirs, strict=True))
    return float(np.array([1, -1]) @ found @ np.array([1, -1]))


@pytest.mark.parametrize("decimals", [12, 1], ids=["without ties", "with ties"])
def test_the_difference_and_its_error_are_those_of_a_slow_loop(decimals: int) -> None:
    for seed in range(3):
        seen = studies(25, seed, second_lead=0.5, decimals=decimals)
        found = delong(seen.first, seen.second, seen.truths)
        difference = roc_auc_score(seen.truths, seen.first) - roc_auc_score(seen.truths, seen.second)
        error = math.sqrt(variance(seen.first, seen.second, seen.truths.astype(float)))
        assert (found.value, found.standard_error) == pytest.approx((difference, error))
        assert (found.low, found.high) == pytest.approx(stats.norm.interval(0.95, difference, error))
        assert found.p == pytest.approx(2 * stats.norm.sf(abs(difference) / error))


def test_one_auroc_has_the_error_of_the_slow_loop() -> None:
    seen = studies(25, seed=5)
    ours, theirs = placements(seen.first, seen.truths.astype(float))
    error = math.sqrt(ours.var(ddof=1) / ours.size + theirs.var(ddof=1) / theirs.size)
    found = delong_interval(seen.first, seen.truths, level=0.9)
    assert found.value == pytest.approx(auroc(seen.first, seen.truths))
    assert (found.low, found.high) == pytest.approx(stats.norm.interval(0.9, found.value, error))
    assert (found.level, found.num_clusters) == (0.9, seen.truths.size)


def test_exchanging_the_models_changes_only_the_sign() -> None:
    seen = studies(30, seed=2, second_lead=1.0)
    there, back = delong(seen.first, seen.second, seen.truths), delong(seen.second, seen.first, seen.truths)
    assert astuple(there) == pytest.approx(
        (-back.value, back.standard_error, -back.high, -back.low, back.level, back.p)
    )
    forth = paired_auroc(seen.first, seen.second, seen.truths, seen.patients, resamples=800)
    again = paired_auroc(seen.second, seen.first, seen.truths, seen.patients, resamples=800)
    assert (forth.value, forth.low, forth.high) == pytest.approx((-again.value, -again.high, -again.low))
    assert forth.p == again.p


def test_formula_and_resampling_agree_where_each_study_is_a_patient() -> None:
    seen = one_study_each(studies(250, seed=3, second_lead=1.0))
    formula = delong(seen.first, seen.second, seen.truths)
    found = paired_auroc(seen.first, seen.second, seen.truths, seen.patients)
    assert found.value == pytest.approx(formula.value)
    assert (found.low, found.high) == pytest.approx((formula.low, formula.high), abs=0.012)
    assert found.p == pytest.approx(formula.p, abs=0.02)
    lone, drawn = (
        delong_interval(seen.first, seen.truths),
        auroc_interval(seen.first, seen.truths, seen.patients),
    )
    assert (lone.low, lone.high) == pytest.approx((drawn.low, drawn.high), abs=0.012)


def one_study_each(seen: Studies) -> Studies:
    _, firsts = np.unique(seen.patients, return_index=True)
    return Studies(seen.first[firsts], seen.second[firsts], seen.truths[firsts], seen.patients[firsts])


def test_few_patients_have_the_exact_p_of_all_exchanges() -> None:
    seen = studies(7, seed=11, second_lead=0.0)
    ranks = np.stack([stats.rankdata(seen.first), stats.rankdata(seen.second)])
    differences = []
    for swaps in product([False, True], repeat=7):
        swapped = np.array(swaps)[seen.patients]
        mixed = np.where(swapped, ranks[::-1], ranks)
        differences.append(abs(auroc(mixed[0], seen.truths) - auroc(mixed[1], seen.truths)))
    found = paired_auroc(seen.first, seen.second, seen.truths, seen.patients, resamples=200)
    assert found.p == np.mean(np.array(differences) >= abs(found.value) - 1e-9)
    drawn = paired_auroc(seen.first, seen.second, seen.truths, seen.patients, resamples=127)
    assert drawn.p == pytest.approx(found.p, abs=4 * math.sqrt(0.25 / 127))


def alarms(seen_from: int, by_study: bool) -> float:
    """Share of simulated comparisons of equal models that have p of 0.05 or less."""
    found = []
    for seed in range(seen_from, seen_from + 200):
        seen = studies(30, seed)
        if seen.truths.all() or not seen.truths.any():
            continue
        clusters = range(seen.truths.size) if by_study else seen.patients
        found.append(paired_auroc(seen.first, seen.second, seen.truths, clusters, resamples=200).p)
    return float(np.mean(np.array(found) <= 0.05))


def test_without_a_difference_few_comparisons_seem_to_find_one() -> None:
    assert alarms(0, by_study=False) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_exchanging_single_studies_would_raise_false_alarms() -> None:
    assert alarms(0, by_study=True) > 0.1


def test_limits_of_the_difference_hold_the_truth_about_95_times_in_100() -> None:
    many = studies(40_000, seed=99, second_lead=0.8)
    truth = auroc(many.first, many.truths) - auroc(many.second, many.truths)
    held = 0
    for seed in range(200):
        seen = studies(50, seed, second_lead=0.8)
        found = auroc_difference(seen, seed)
        held += found[0] <= truth <= found[1]
    three_standard_errors = 3 * math.sqrt(0.95 * 0.05 / 200)
    assert 0.93 - three_standard_errors < held / 200 < 0.95 + three_standard_errors


def auroc_difference(seen: Studies, seed: int) -> tuple[float, float]:
    found = paired_auroc(seen.first, seen.second, seen.truths, seen.patients, resamples=400, seed=seed)
    return found.low, found.high


def test_a_better_model_is_found_better() -> None:
    seen = studies(150, seed=1, lead=3.0, second_lead=0.5)
    found = paired_auroc(seen.first, seen.second, seen.truths, seen.patients, resamples=999)
    assert found.low > 0
    assert found.p == 1 / 1000
    assert (found.num_images, found.num_clusters) == (seen.truths.size, 150)
    assert delong(seen.first, seen.second, seen.truths).p < 1e-4


def test_models_that_rank_alike_have_no_difference() -> None:
    seen = studies(20, seed=6)
    for second in (seen.first, seen.first**3):
        found = paired_auroc(seen.first, second, seen.truths, seen.patients, resamples=200)
        assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
        formula = delong(seen.first, second, seen.truths)
        assert (formula.value, formula.standard_error, formula.p) == (0, 0, 1)


def test_perfect_separation_has_no_error() -> None:
    rising, truths = [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]
    assert astuple(delong_interval(rising, truths))[:3] == (1, 1, 1)
    opposed = delong(rising, rising[::-1], truths)
    assert (opposed.value, opposed.standard_error, opposed.p) == (1, 0, 0)
    found = paired_auroc(rising, rising[::-1], truths, range(4), resamples=100)
    assert (found.value, found.low, found.high) == (1, 1, 1)


@pytest.mark.parametrize("truths", [[], [0, 0, 0], [1, 1, 1]])
def test_without_both_classes_nothing_is_said(truths: list[int]) -> None:
    scores = [0.1, 0.5, 0.3][: len(truths)]
    found = delong(scores, scores, truths)
    assert all(
        math.isnan(each) for each in (found.value, found.standard_error, found.low, found.high, found.p)
    )
    paired = paired_auroc(scores, scores, truths, range(len(truths)), resamples=50)
    assert all(math.isnan(each) for each in (paired.value, paired.low, paired.high, paired.p))
    assert math.isnan(delong_interval(scores, truths).low)


def test_a_single_positive_or_patient_has_a_value_and_no_limits() -> None:
    found = delong([0.1, 0.5, 0.3], [0.3, 0.2, 0.1], [0, 1, 0])
    assert found.value == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.p)
    paired = paired_auroc([0.1, 0.5, 0.3], [0.3, 0.2, 0.1], [0, 1, 0], "aaa", resamples=50)
    assert (paired.value, paired.p) == (0.5, 1)
    assert math.isnan(paired.low)
