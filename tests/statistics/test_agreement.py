"""Agreement's figures are those of scipy, scikit-learn and plain sums; where there is nothing to say they are NaN."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from apical.statistics.agreement import agreement


def test_figures_are_those_of_other_libraries() -> None:
    generator = np.random.default_rng(0)
    reference = generator.normal(55, 12, size=80)
    measured = 0.9 * reference + generator.normal(4, 5, size=80)
    found = agreement(measured, reference)
    assert found.mean_absolute_error == pytest.approx(mean_absolute_error(reference, measured))
    assert found.root_mean_squared_error == pytest.approx(root_mean_squared_error(reference, measured))
    assert found.correlation == pytest.approx(stats.pearsonr(measured, reference).statistic)
    assert found.sd == pytest.approx(stats.tstd(measured - reference))


def test_a_small_case_by_hand() -> None:
    found = agreement([52, 60, 41], [50, 61, 39])
    assert (found.n, found.bias) == (3, 1)
    assert found.sd == pytest.approx(math.sqrt(3))
    assert (found.low, found.high) == pytest.approx((1 - 1.96 * math.sqrt(3), 1 + 1.96 * math.sqrt(3)))
    assert found.mean_absolute_error == pytest.approx(5 / 3)
    assert found.root_mean_squared_error == pytest.approx(math.sqrt(3))


def test_about_95_of_100_differences_lie_within_the_limits() -> None:
    differences = np.random.default_rng(1).normal(2, 3, size=4000)
    found = agreement(differences, np.zeros(4000))
    inside = np.mean((found.low < differences) & (differences < found.high))
    assert inside == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))


def test_perfect_agreement_has_no_error() -> None:
    assert astuple(agreement([1, 2, 4], [1, 2, 4])) == (3, 0, 0, 0, 0, 0, 0, pytest.approx(1))


def test_nothing_agrees_with_nothing() -> None:
    found = agreement([], [])
    assert found.n == 0
    assert all(math.isnan(each) for each in astuple(found)[1:])


def test_one_pair_has_errors_but_no_spread() -> None:
    found = agreement([3.0], [5.0])
    assert (found.n, found.bias, found.mean_absolute_error, found.root_mean_squared_error) == (1, -2, 2, 2)
    assert all(math.isnan(each) for each in (found.sd, found.low, found.high, found.correlation))


def test_a_column_that_does_not_vary_has_no_correlation() -> None:
    found = agreement([0.1] * 5, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert math.isnan(found.correlation)
    assert found.bias == pytest.approx(-0.2)
    assert math.isnan(agreement([1, 2, 3], [0.1] * 3).correlation)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_not_passed_over(odd: float) -> None:
    found = agreement([1, odd, 3], [1, odd, 2])
    assert found.n == 3
    assert all(math.isnan(each) for each in astuple(found)[1:])


def test_columns_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        agreement([1.0], [1.0, 2.0])
