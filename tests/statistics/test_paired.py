"""Comparing two models: p agrees with scipy's, patients are flipped whole, and there are no false alarms."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from apical.statistics.bootstrap import mean_interval
from apical.statistics.paired import compare
from tests.statistics.simulated import Array, images, sums_by_patient

ALL = 2**20


def scipys(sums: Array, resamples: int) -> float:
    found: Any = stats.permutation_test(
        (sums,), np.sum, permutation_type="samples", vectorized=True, n_resamples=resamples, rng=1
    )
    return float(found.pvalue)


@pytest.mark.parametrize("seed", range(5))
def test_few_single_images_have_scipys_exact_p(seed: int) -> None:
    first, second = np.random.default_rng(seed).normal(size=(2, 11)) + np.array([[0.5], [0]])
    assert compare(first, second, range(11)).p == pytest.approx(scipys(first - second, ALL))


def test_few_patients_have_scipys_exact_p_of_their_sums() -> None:
    seen = images(12, seed=6, mean=0.4)
    sums, _ = sums_by_patient(seen.values, seen.patients)
    assert compare(seen.values, np.zeros(seen.values.size), seen.patients).p == pytest.approx(
        scipys(sums, ALL)
    )


def test_many_patients_have_scipys_p_within_the_error_of_both() -> None:
    seen, resamples = images(60, seed=6, mean=0.2), 20_000
    sums, _ = sums_by_patient(seen.values, seen.patients)
    ours = compare(seen.values, np.zeros(seen.values.size), seen.patients, resamples=resamples).p
    half = ours / 2  # scipy doubles one tail, so its error is that of a tail, twice
    within = 4 * math.sqrt((ours * (1 - ours) + 4 * half * (1 - half)) / resamples)
    assert 0.01 < ours < 0.9
    assert ours == pytest.approx(scipys(sums, resamples), abs=within)


def test_all_flips_are_counted_as_one_would_by_hand() -> None:
    sums = np.array([0.5, -0.2, 0.9, 0.4])
    totals = [abs(np.dot(signs, sums)) for signs in product([1, -1], repeat=4)]
    by_hand = np.mean([total >= abs(sums.sum()) - 1e-9 for total in totals])
    assert compare(sums, np.zeros(4), [*"abcd"]).p == by_hand


def test_exact_and_random_flips_agree() -> None:
    seen = images(12, seed=7, mean=0.3)
    zeros = np.zeros(seen.values.size)
    exact, drawn = (compare(seen.values, zeros, seen.patients, resamples=count).p for count in (4096, 4000))
    assert (exact * 4096).is_integer()
    assert not (drawn * 4096).is_integer()
    assert exact == pytest.approx(drawn, abs=4 * math.sqrt(exact * (1 - exact) / 4000))


def alarms(by_image: bool) -> float:
    """Share of simulated comparisons without a difference that have p of 0.05 or less."""
    found = []
    for seed in range(400):
        seen = images(25, seed=seed)
        clusters = range(seen.values.size) if by_image else seen.patients
        found.append(compare(seen.values, 0 * seen.values, clusters, resamples=400, seed=seed).p)
    return float(np.mean(np.array(found) <= 0.05))


def test_without_a_difference_few_comparisons_seem_to_find_one() -> None:
    assert alarms(by_image=False) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_flipping_single_images_would_raise_false_alarms() -> None:
    assert alarms(by_image=True) > 0.1


def test_value_and_limits_are_those_of_the_differences() -> None:
    first, second = images(30, seed=1), images(30, seed=1).values ** 2
    found = compare(first.values, second, first.patients, level=0.9, seed=3)
    mean = mean_interval(first.values - second, first.patients, level=0.9, seed=3)
    assert (found.value, found.low, found.high, found.level) == (mean.value, mean.low, mean.high, 0.9)
    assert (found.num_images, found.num_clusters) == (first.values.size, 30)


def test_exchanging_the_models_changes_only_the_sign() -> None:
    seen = images(40, seed=9, mean=0.2)
    zeros = np.zeros(seen.values.size)
    there, back = compare(seen.values, zeros, seen.patients), compare(zeros, seen.values, seen.patients)
    assert there.p == back.p
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


def test_a_clear_difference_has_the_smallest_p_there_is() -> None:
    assert compare(np.arange(100.0) + 1, np.zeros(100), range(100), resamples=999).p == 1 / 1000
    assert compare(np.arange(5.0) + 1, np.zeros(5), range(5)).p == 2 / 2**5


def test_equal_models_have_a_p_of_one() -> None:
    for count in (3, 50):
        found = compare(np.full(count, 0.1), np.full(count, 0.1), range(count))
        assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_one_patient_tells_nothing() -> None:
    found = compare([1.0, 2.0], [0.0, 0.0], ["a", "a"])
    assert found.p == 1
    assert math.isnan(found.low)


@pytest.mark.parametrize(
    ("first", "second"), [([], []), ([1.0, math.nan], [0.0, 0.0]), ([math.inf] * 2, [math.inf] * 2)]
)
def test_what_is_no_number_gives_no_p(first: list[float], second: list[float]) -> None:
    found = compare(first, second, range(len(first)))
    assert math.isnan(found.p)
    assert math.isnan(found.low)
    assert found.num_images == len(first)
