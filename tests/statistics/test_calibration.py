"""Calibration's figures are scikit-learn's and scipy's, and a fitted temperature is the best there is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats
from sklearn import metrics
from sklearn.calibration import calibration_curve

from apical.statistics.calibration import (
    brier,
    ece,
    fitted_temperature,
    log_loss,
    reliability,
    wilson,
)
from tests.statistics.judged import Array, studies

Classes = npt.NDArray[np.int64]


def test_errors_are_those_of_scikit_learn() -> None:
    seen = studies(60, seed=0)
    assert brier(seen.first, seen.truths) == pytest.approx(metrics.brier_score_loss(seen.truths, seen.first))
    assert log_loss(seen.first, seen.truths) == pytest.approx(metrics.log_loss(seen.truths, seen.first))
    logits, classes = three_classes(seed=1)
    beliefs = special.softmax(logits, axis=1)
    assert log_loss(beliefs, classes) == pytest.approx(metrics.log_loss(classes, beliefs))


def test_a_truth_that_was_thought_impossible_costs_much_but_not_all() -> None:
    assert log_loss([0.0, 1.0], [1, 1]) == pytest.approx(-math.log(np.finfo(float).eps) / 2)
    assert log_loss([0.0, 1.0], [0, 1]) == 0


@pytest.mark.parametrize(("equal_width", "strategy"), [(False, "quantile"), (True, "uniform")])
@pytest.mark.parametrize("decimals", [12, 1], ids=["without ties", "with ties"])
def test_bins_are_those_of_scikit_learn(equal_width: bool, strategy: str, decimals: int) -> None:
    seen = studies(60, seed=4, decimals=decimals)
    found = reliability(seen.first, seen.truths, 7, equal_width=equal_width)
    shares, beliefs = calibration_curve(seen.truths, seen.first, n_bins=7, strategy=strategy)
    np.testing.assert_allclose([each.belief for each in found], beliefs)
    np.testing.assert_allclose([each.share for each in found], shares)
    assert sum(each.count for each in found) == seen.first.size


def test_bins_of_equal_mass_hold_as_many_and_part_no_equal_beliefs() -> None:
    found = reliability(np.linspace(0, 1, 100) ** 3, [0, 1] * 50)
    assert [each.count for each in found] == [10] * 10
    assert [each.count for each in reliability([0.1] * 90 + [0.7] * 10, [0, 1] * 50)] == [90, 10]


def test_the_limits_are_wilsons() -> None:
    for hits, count in ((0, 5), (3, 10), (10, 10), (40, 90)):
        theirs = stats.binomtest(hits, count).proportion_ci(0.9, method="wilson")
        assert wilson(hits, count, 0.9) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    (only,) = reliability([0.3] * 10, [1] * 3 + [0] * 7, level=0.9)
    assert (only.low, only.high) == wilson(3, 10, 0.9)
    assert (only.count, only.share) == (10, 0.3)


def test_the_expected_error_by_hand() -> None:
    scores, truths = [0.1, 0.3, 0.7, 0.9], [0, 1, 1, 1]
    assert ece(scores, truths, 2) == pytest.approx((abs(0.2 - 0.5) + abs(0.8 - 1)) / 2)
    assert ece([0.1, 0.2, 0.3, 0.9], truths, 2, equal_width=True) == pytest.approx(
        0.75 * abs(0.2 - 2 / 3) + 0.25 * 0.1
    )


def test_beliefs_that_come_true_have_a_small_expected_error_and_others_a_large_one() -> None:
    generator = np.random.default_rng(0)
    beliefs = generator.random(20_000)
    truths = generator.random(20_000) < beliefs
    assert ece(beliefs, truths) < 0.01
    assert ece(beliefs, truths, equal_width=True) < 0.01
    assert ece(beliefs**4, truths) > 0.2


def test_of_no_studies_nothing_is_said() -> None:
    assert all(math.isnan(figure([], [])) for figure in (brier, ece, log_loss))
    assert math.isnan(ece([], [], equal_width=True))
    assert reliability([], []) == []
    assert fitted_temperature([], []) == 1
    assert fitted_temperature(np.empty((0, 3)), []) == 1


def three_classes(seed: int, scale: float = 1.0) -> tuple[Array, Classes]:
    """Logits (N, 3) that are `scale` times what they should be."""
    generator = np.random.default_rng(seed)
    logits = 1.5 * generator.normal(size=(400, 3))
    classes = np.array([generator.choice(3, p=row) for row in special.softmax(logits, axis=1)])
    return scale * logits, classes


def two_classes(seed: int, scale: float = 1.0) -> tuple[Array, Classes]:
    """Logits (N,) that are `scale` times what they should be."""
    generator = np.random.default_rng(seed)
    logits = 1.5 * generator.normal(size=400)
    return scale * logits, (generator.random(400) < special.expit(logits)).astype(np.int64)


def loss_of(logits: Array, truths: Classes, temperature: float) -> float:
    cooled = logits / temperature
    beliefs = special.expit(cooled) if logits.ndim == 1 else special.softmax(cooled, axis=1)
    return float(metrics.log_loss(truths, beliefs))


@pytest.mark.parametrize("draw", [two_classes, three_classes])
@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_the_temperature_is_that_of_a_plain_search_and_undoes_a_scale(draw: object, scale: float) -> None:
    assert callable(draw)
    logits, truths = draw(3, scale)
    found = fitted_temperature(logits, truths)
    plain = optimize.minimize_scalar(
        lambda log: loss_of(logits, truths, math.exp(log)), bounds=(-3, 3), method="bounded"
    )
    assert found == pytest.approx(math.exp(plain.x), rel=1e-3)
    assert found == pytest.approx(scale, rel=0.2)
    assert loss_of(logits, truths, found) <= loss_of(logits, truths, 1.0)


def test_two_classes_are_one_logit_and_none() -> None:
    logits, truths = two_classes(5, 2.0)
    both = np.column_stack([np.zeros_like(logits), logits])
    assert fitted_temperature(both, truths) == fitted_temperature(logits, truths)
    assert fitted_temperature(both + 7, truths) == pytest.approx(fitted_temperature(logits, truths))


@pytest.mark.parametrize("size", [0.01, 1.0, 50.0, 1e5])
def test_separated_logits_give_the_lowest_temperature_and_opposed_ones_the_highest(size: float) -> None:
    logits, truths = size * np.array([-2.0, -1, 1, 3]), np.array([0, 0, 1, 1])
    assert fitted_temperature(logits, truths) == 1 / 20
    assert fitted_temperature(-logits, truths) == 20
    rows = size * np.eye(3)
    assert fitted_temperature(rows, [0, 1, 2]) == 1 / 20
    assert fitted_temperature(rows, [1, 2, 0]) == 20


def test_logits_that_say_nothing_are_left_as_they_are() -> None:
    assert fitted_temperature([0.0, 0.0], [0, 1]) == 1
    assert fitted_temperature(np.full((4, 3), 2.5), [0, 1, 2, 0]) == 1


@given(
    rows=st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 1)), min_size=1, max_size=12),
)
def test_whatever_the_logits_the_temperature_stays_within_its_bounds(rows: list[tuple[float, int]]) -> None:
    logits, truths = zip(*rows, strict=True)
    assert 1 / 20 <= fitted_temperature(logits, truths) <= 20 * (1 + 1e-12)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="truths of shape"):
        fitted_temperature([[0.1, 0.2]], [0, 1])
    with pytest.raises(ValueError, match="must be finite"):
        fitted_temperature([0.1, math.inf], [0, 1])
    with pytest.raises(ValueError, match="truths classes"):
        log_loss([[0.5, 0.5]], [-1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        brier([1.5], [1])
