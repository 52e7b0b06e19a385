"""Figures at a threshold are scikit-learn's, thresholds keep their promise and lie between scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from apical.statistics.operating import (
    FIGURES,
    Confusion,
    Threshold,
    at_specificity,
    best_f1,
    confusion,
    sweep,
    youden,
)
from tests.statistics.judged import studies

ORACLES: dict[str, Callable[..., Any]] = {
    "sensitivity": metrics.recall_score,
    "specificity": lambda truths, answers: metrics.recall_score(~truths, ~answers),
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "precision": metrics.precision_score,
    "f1": metrics.f1_score,
    "mcc": metrics.matthews_corrcoef,
    "accuracy": metrics.accuracy_score,
}
RULES: list[Callable[..., Threshold]] = [
    best_f1,
    youden,
    lambda scores, truths: at_specificity(scores, truths, 0.8),
]
ROWS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=20)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_those_of_scikit_learn(name: str) -> None:
    for seed in range(5):
        seen = studies(40, seed, decimals=1)
        found = getattr(confusion(seen.first, seen.truths, 0.6), name)
        assert found == pytest.approx(ORACLES[name](seen.truths, seen.first >= 0.6))


def test_a_score_at_the_threshold_is_positive() -> None:
    assert confusion([0.2, 0.5, 0.5, 0.7], [0, 0, 1, 1], 0.5) == Confusion(2, 1, 1, 0)


def test_figures_without_studies_are_none() -> None:
    nobody = Confusion(0.0, 0.0, 0.0, 0.0)
    assert all(math.isnan(getattr(nobody, name)) for name in FIGURES)
    healthy = Confusion(0.0, 0.0, 5.0, 0.0)
    assert (healthy.specificity, healthy.accuracy) == (1, 1)
    assert all(
        math.isnan(getattr(healthy, name)) for name in ("sensitivity", "balanced_accuracy", "f1", "mcc")
    )


@given(rows=ROWS)
def test_a_sweep_counts_what_each_of_its_thresholds_does(rows: list[tuple[float, bool]]) -> None:
    scores, truths = (np.array(column) for column in zip(*rows, strict=True))
    thresholds, swept = sweep(scores, truths)
    assert len(thresholds) == len(set(scores.tolist())) + 1
    for at, threshold in enumerate(thresholds.tolist()):
        counts = (float(column[at]) for column in (swept.tp, swept.fp, swept.tn, swept.fn))
        assert confusion(scores, truths, threshold) == Confusion(*counts)


def test_thresholds_lie_midway_between_scores_and_the_outermost_beyond_all_probabilities() -> None:
    thresholds, _ = sweep([0.2, 0.6, 0.6, 1.0], [0, 1, 0, 1])
    np.testing.assert_allclose(thresholds, [0, 0.4, 0.8, 1])
    assert thresholds[0] == 0
    assert thresholds[-1] > 1
    neighbours = [0.5, np.nextafter(0.5, 1)]
    assert confusion(neighbours, [0, 1], best_f1(neighbours, [0, 1]).value) == Confusion(1, 0, 1, 0)


def test_curves_are_those_of_scikit_learn() -> None:
    seen = studies(40, seed=3, decimals=2)
    _, swept = sweep(seen.first, seen.truths)
    alarms, found, _ = metrics.roc_curve(seen.truths, seen.first, drop_intermediate=False)
    np.testing.assert_allclose((1 - swept.specificity)[::-1], alarms)
    np.testing.assert_allclose(swept.sensitivity[::-1], found)
    precision, recall, _ = metrics.precision_recall_curve(seen.truths, seen.first)
    np.testing.assert_allclose(swept.precision[:-1], precision[:-1])
    np.testing.assert_allclose(swept.sensitivity, recall)


@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_has_a_better_f1_or_youden_index(seed: int) -> None:
    seen = studies(30, seed, decimals=2)
    tried = [confusion(seen.first, seen.truths, threshold) for threshold in np.linspace(0, 1.001, 500)]
    f1 = best_f1(seen.first, seen.truths)
    assert f1.reached.f1 == pytest.approx(max(each.f1 for each in tried))
    index = youden(seen.first, seen.truths)
    assert index.reached.balanced_accuracy == pytest.approx(max(each.balanced_accuracy for each in tried))


@pytest.mark.parametrize("wanted", [0.0, 0.5, 0.9, 1.0])
def test_the_wanted_specificity_is_reached_and_no_lower_threshold_reaches_it(wanted: float) -> None:
    for seed in range(4):
        seen = studies(30, seed, decimals=2)
        found = at_specificity(seen.first, seen.truths, wanted)
        assert found.reached.specificity >= wanted
        lower = [t for t in sweep(seen.first, seen.truths)[0] if t < found.value]
        assert all(confusion(seen.first, seen.truths, each).specificity < wanted for each in lower)


def test_a_specificity_of_nine_in_ten_is_reached_by_nine_in_ten() -> None:
    found = at_specificity(np.arange(11) / 10, [0] * 10 + [1], 0.9)
    assert found.value == pytest.approx(0.85)
    assert found.reached == Confusion(1, 1, 9, 0)
    assert found.rule == "specificity of at least 0.9"


def test_of_equal_thresholds_the_lowest_is_taken() -> None:
    found = youden([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1])
    assert found.value == pytest.approx(0.15)
    assert youden([0.4, 0.6], [1, 0]).value == 0


@pytest.mark.parametrize("rule", RULES)
def test_the_threshold_says_what_it_reached_where_it_was_chosen(rule: Callable[..., Threshold]) -> None:
    seen = studies(30, seed=1)
    found = rule(seen.first, seen.truths)
    assert found.reached == confusion(seen.first, seen.truths, found.value)
    assert not np.isin(found.value, seen.first)


@pytest.mark.parametrize("rule", RULES)
def test_perfect_separation_gives_a_threshold_midway(rule: Callable[..., Threshold]) -> None:
    found = rule([0.1, 0.3, 0.8, 0.9], [0, 0, 1, 1])
    if rule in (best_f1, youden):
        assert found.value == pytest.approx(0.55)
        assert found.reached == Confusion(2, 0, 2, 0)
    assert found.reached.sensitivity == 1


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("truths", [[], [0, 0], [1, 1]])
def test_without_both_classes_no_threshold_is_chosen(
    rule: Callable[..., Threshold], truths: list[int]
) -> None:
    found = rule([0.2, 0.3][: len(truths)], truths)
    assert math.isnan(found.value)
    assert found.reached == Confusion(0, 0, truths.count(0), truths.count(1))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="a specificity of 90"):
        at_specificity([0.1, 0.2], [0, 1], 90)
    with pytest.raises(ValueError, match="between 0 and 1"):
        best_f1([0.1, 1.2], [0, 1])
