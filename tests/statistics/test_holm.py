"""Holm's adjusted p values agree with the rule read out slowly, and keep what a correction must."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apical.statistics.holm import holm

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


def by_the_rule(p_values: list[float]) -> list[float]:
    """Each p's largest product among the p values no larger, of p and the number of tests from there on."""
    adjusted = []
    ranks = {at: rank for rank, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at]))}
    for mine in range(len(p_values)):
        earlier = [at for at in ranks if ranks[at] <= ranks[mine]]
        adjusted.append(min(1.0, max(p_values[at] * (len(p_values) - ranks[at]) for at in earlier)))
    return adjusted


@given(P_VALUES)
def test_adjusted_values_are_those_of_the_rule(p_values: list[float]) -> None:
    np.testing.assert_allclose(holm(p_values), by_the_rule(p_values))


@given(P_VALUES)
def test_adjusting_lies_between_none_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    plain, adjusted = np.array(p_values), holm(p_values)
    assert (adjusted >= plain).all()
    assert (adjusted <= np.minimum(1, plain * len(p_values)) + 1e-15).all()
    order = np.argsort(plain, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_a_textbook_case() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_nan_stays_and_does_not_count() -> None:
    np.testing.assert_allclose(holm([0.02, math.nan, 0.01]), [0.02, math.nan, 0.02])
    assert np.isnan(holm([math.nan, math.nan])).all()


@pytest.mark.parametrize("p_values", [[], [0.3]])
def test_none_and_one_are_left_as_they_are(p_values: list[float]) -> None:
    assert holm(p_values).tolist() == p_values


def test_what_comes_in_is_not_written_to() -> None:
    p_values = np.array([0.01, 0.02])
    holm(p_values)
    assert p_values.tolist() == [0.01, 0.02]
