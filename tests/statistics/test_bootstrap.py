"""Intervals by patient agree with scipy's, cover what they say, and are quick."""

from __future__ import annotations

import math
import time
import tracemalloc
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from scipy import stats

from apical.statistics.bootstrap import Estimate, Kind, balanced_interval, mean_interval, ratio_interval
from tests.statistics.simulated import Array, images, sums_by_patient

RESAMPLES = 40_000
SKEWED = np.random.default_rng(3).exponential(size=40)


def tolerance(spread: float, resamples: int) -> float:
    """Four standard errors of the difference of two limits, each from `resamples` draws that spread by `spread`.

    A limit errs because the share of draws below it does, and because the bias correction, counted twice, does.
    """
    normal = NormalDist()
    of_quantile = math.sqrt(0.025 * 0.975 / resamples) / normal.pdf(normal.inv_cdf(0.025))
    of_bias = 2 * math.sqrt(0.25 / resamples) / normal.pdf(0)
    return 4 * spread * math.sqrt(2 * (of_quantile**2 + of_bias**2))


def assert_limits(ours: Estimate, theirs: Any) -> None:
    within = tolerance(float(theirs.standard_error), RESAMPLES)
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=within)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=within)


@pytest.mark.parametrize("kind", ["bca", "percentile"])
def test_a_mean_of_single_images_has_scipys_limits(kind: Kind) -> None:
    ours = mean_interval(SKEWED, range(SKEWED.size), resamples=RESAMPLES, kind=kind)
    method: Any = {"bca": "BCa", "percentile": "percentile"}[kind]
    assert_limits(ours, stats.bootstrap((SKEWED,), np.mean, n_resamples=RESAMPLES, method=method, rng=1))
    assert ours.value == pytest.approx(SKEWED.mean())


def test_the_correction_is_larger_than_the_tolerance_it_is_tested_with() -> None:
    bca, plain = (
        mean_interval(SKEWED, range(40), resamples=RESAMPLES, kind=kind) for kind in ("bca", "percentile")
    )
    assert bca.high - plain.high > tolerance(SKEWED.std() / math.sqrt(40), RESAMPLES)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("values", [SKEWED, np.array([0.0, 0, 1, 1, 2, 5])], ids=["skewed", "with ties"])
def test_of_the_same_draws_the_limits_are_scipys_to_rounding(values: Array, level: float) -> None:
    ours = mean_interval(values, range(values.size), seed=5, level=level)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, confidence_level=level, rng=5
    )  # draws as we do
    limits = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((limits.low, limits.high), rel=1e-9)


def ratio(numerators: Array, denominators: Array, axis: int = -1) -> Array:
    return np.asarray(numerators.sum(axis=axis) / denominators.sum(axis=axis))


def test_a_mean_of_patients_images_has_scipys_limits_of_the_ratio_of_patients_sums() -> None:
    seen = images(50, seed=4)
    ours = mean_interval(np.exp(seen.values), seen.patients, resamples=RESAMPLES)
    sums = sums_by_patient(np.exp(seen.values), seen.patients)
    assert_limits(ours, stats.bootstrap(sums, ratio, paired=True, n_resamples=RESAMPLES, rng=1))
    assert ours.num_clusters == 50
    assert ours.value == pytest.approx(np.exp(seen.values).mean())


def test_a_ratio_of_sums_has_scipys_limits() -> None:
    generator = np.random.default_rng(8)
    tops, bottoms = generator.exponential(size=60), generator.uniform(1, 3, size=60)
    ours = ratio_interval(tops, bottoms, range(60), resamples=RESAMPLES)
    assert_limits(ours, stats.bootstrap((tops, bottoms), ratio, paired=True, n_resamples=RESAMPLES, rng=1))


def coverage(by_image: bool, kind: Kind = "bca", simulations: int = 1000) -> float:
    """Share of simulated studies of 50 patients whose interval holds the true mean."""
    held = 0
    for seed in range(simulations):
        seen = images(50, seed=seed, mean=0.3)
        clusters = range(seen.values.size) if by_image else seen.patients
        found = mean_interval(seen.values, clusters, resamples=1000, seed=seed, kind=kind)
        held += found.low <= 0.3 <= found.high
    return held / simulations


def test_95_percent_limits_by_patient_hold_the_truth_about_95_times_in_100() -> None:
    three_standard_errors = 3 * math.sqrt(
        0.95 * 0.05 / 1000
    )  # 2.1 points; of 50 patients a bootstrap lacks one more
    assert 0.94 - three_standard_errors < coverage(by_image=False) < 0.95 + three_standard_errors


def test_limits_by_image_hold_the_truth_too_seldom() -> None:
    assert coverage(by_image=True, simulations=300) < 0.85


def test_the_same_seed_gives_the_same_limits_and_another_seed_nearly_so() -> None:
    seen = images(30, seed=1)
    first, again, other = (mean_interval(seen.values, seen.patients, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first.low == pytest.approx(other.low, abs=0.05)


def test_the_names_of_patients_do_not_matter() -> None:
    seen = images(20, seed=2)
    renamed = [("hospital", name[::-1]) for name in seen.patients.tolist()]
    assert mean_interval(seen.values, seen.patients) == mean_interval(seen.values, renamed)


def test_images_of_a_patient_need_not_stand_together() -> None:
    values, patients = np.arange(40.0) ** 2, np.arange(40) // 2
    apart = np.r_[0:40:2, 1:40:2]
    assert mean_interval(values, patients) == mean_interval(values[apart], patients[apart])


def test_a_wider_level_gives_wider_limits_around_the_same_value() -> None:
    seen = images(30, seed=1)
    narrow, wide = (mean_interval(seen.values, seen.patients, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert narrow.value == wide.value
    assert wide.level == 0.99


def test_adding_a_constant_only_shifts_the_limits() -> None:
    seen = images(30, seed=1)
    near, far = (mean_interval(seen.values + shift, seen.patients) for shift in (0.0, 1e6))
    assert far.low - 1e6 == pytest.approx(near.low, abs=1e-8)
    assert far.high - 1e6 == pytest.approx(near.high, abs=1e-8)


def test_one_patient_has_a_mean_and_no_limits() -> None:
    found = mean_interval([0.2, 0.4], ["a", "a"])
    assert found.value == pytest.approx(0.3)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.num_clusters == 1


@pytest.mark.parametrize("value", [0.0, 0.1, -1 / 3, 1e12])
@pytest.mark.parametrize("kind", ["bca", "percentile"])
def test_where_nothing_varies_the_limits_are_the_value(value: float, kind: Kind) -> None:
    found = mean_interval([value] * 7, [*"aabbbcd"], kind=kind)
    assert found.low == found.value == found.high == pytest.approx(value)


def test_no_images_have_no_mean() -> None:
    found = mean_interval([], [])
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert found.num_clusters == 0


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_not_passed_over(odd: float) -> None:
    found = mean_interval([1.0, odd, 3.0], [*"abc"])
    assert not math.isfinite(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_patients_without_weight_do_no_harm() -> None:
    found = ratio_interval([0.0, 0.0, 1.0, 3.0], [0.0, 0.0, 2.0, 4.0], [*"abcd"], resamples=2000)
    assert 0.5 <= found.low < found.value < found.high <= 0.75
    lone = ratio_interval([0.0, 1.0], [0.0, 2.0], [*"ab"], resamples=2000)
    assert lone.low == lone.value == lone.high == 0.5
    none = ratio_interval([0.0, 1.0], [0.0, 0.0], [*"ab"])
    assert math.isnan(none.low)


def test_resamples_that_all_lie_on_one_side_are_not_corrected() -> None:
    one_sided = 0
    for seed in range(30):
        bca, plain = (
            mean_interval([1.0, 2.0, 5.0], [*"abc"], resamples=2, seed=seed, level=1 - 1e-9, kind=kind)
            for kind in ("bca", "percentile")
        )
        if not plain.low - 1e-6 < plain.value < plain.high + 1e-6:
            one_sided += 1
            assert bca == plain
    assert one_sided > 5


def test_draws_without_any_weight_are_left_out() -> None:
    lows = [ratio_interval([0, 1, 3], [0, 1, 1], [*"abc"], resamples=1, seed=seed).low for seed in range(300)]
    assert 0 < np.isnan(lows).sum() < 30  # one draw in 27 has nothing else
    assert 1 - 1e-12 <= np.nanmin(lows) < np.nanmax(lows) <= 3 + 1e-12


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [0.0] * 30 + [1.0], [1.0] * 30 + [0.0], [1e-300, 2e-300, 5e-300]]
)
def test_lopsided_figures_have_limits_within_their_range(values: list[float]) -> None:
    for level in (0.5, 0.95, 1 - 1e-12):
        found = mean_interval(values, range(len(values)), level=level)
        rounding = 1e-12 * max(values)
        assert min(values) - rounding <= found.low <= found.high <= max(values) + rounding


def test_where_the_correction_runs_out_the_farthest_resample_is_the_limit() -> None:
    one, others = np.eye(31)[0], 1 - np.eye(31)[0]
    for values, side in ((one, "high"), (others, "low")):
        bca, plain = (
            mean_interval(values, range(31), level=1 - 1e-12, kind=kind) for kind in ("bca", "percentile")
        )
        assert getattr(bca, side) == pytest.approx(getattr(plain, side))


def test_figures_need_a_patient_each() -> None:
    with pytest.raises(ValueError, match="3 values, but the clusters of 2"):
        mean_interval([1.0, 2.0, 3.0], [*"ab"])


def test_ten_thousand_resamples_of_a_test_set_take_a_moment_in_little_memory() -> None:
    generator = np.random.default_rng(0)
    patients = [
        f"patient{each}" for each in [*range(1276), *generator.integers(1276, size=2500 - 1276).tolist()]
    ]
    values = generator.beta(20, 2, size=2500)
    began = time.process_time()
    mean_interval(values, patients)
    assert time.process_time() - began < 2
    tracemalloc.start()
    mean_interval(values, patients)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_the_mean_of_classes_is_that_of_a_slow_loop_over_drawn_patients() -> None:
    generator = np.random.default_rng(5)
    classes = generator.choice(["a", "b", "c"], size=120, p=[0.7, 0.2, 0.1])
    values = (generator.random(120) < 0.7).astype(float)
    names = [f"p{number}" for number in generator.integers(25, size=120)]
    found = balanced_interval(values, classes, names, resamples=4000)
    each = [values[classes == name].mean() for name in "abc"]
    assert found.value == pytest.approx(np.mean(each))
    means = []
    for _ in range(1500):
        drawn = generator.choice(25, size=25)
        rows = np.concatenate(
            [[i for i, name in enumerate(names) if name == f"p{number}"] for number in drawn]
        )
        rows = rows.astype(int)
        parts = [values[rows][classes[rows] == name] for name in "abc"]
        means.append(np.mean([part.mean() for part in parts if len(part)]))
    assert found.low == pytest.approx(np.quantile(means, 0.025), abs=0.05)
    assert found.high == pytest.approx(np.quantile(means, 0.975), abs=0.05)


def test_the_mean_of_one_class_is_the_plain_mean() -> None:
    values, names = np.array([1.0, 0, 1, 1, 0, 1]), list("aabbcd")
    one = balanced_interval(values, ["x"] * 6, names)
    plain = mean_interval(values, names)
    assert (one.low, one.high) == pytest.approx((plain.low, plain.high), abs=0.02)


@pytest.mark.parametrize(("values", "names"), [([], []), ([1.0], ["a"]), ([1.0] * 4, list("abcd"))])
def test_the_mean_of_classes_of_few_or_equal_values_warns_of_nothing(
    values: list[float], names: list[str]
) -> None:
    found = balanced_interval(values, [0] * len(values), names)
    assert found.num_clusters == len(names)
    assert np.isnan(found.value) == (not values)
    assert np.isnan(found.low) == (len(names) < 2)
