"""Limits of figures at a threshold are those of means where they are shares, and cover what they say."""

from __future__ import annotations

import math
import time

import pytest

from apical.statistics.bootstrap import mean_interval
from apical.statistics.operating import FIGURES, confusion, operating_intervals
from tests.statistics.judged import studies


def test_limits_of_shares_are_those_of_means_over_their_studies() -> None:
    seen = studies(60, seed=2)
    found = operating_intervals(seen.first, seen.truths, seen.patients, 0.6, resamples=4000)
    assert tuple(found) == FIGURES
    for name, among in (("sensitivity", seen.truths), ("specificity", ~seen.truths)):
        right = (seen.first >= 0.6) == seen.truths
        mean = mean_interval(right[among], seen.patients[among], resamples=4000)
        assert found[name].value == pytest.approx(mean.value)
        assert (found[name].low, found[name].high) == pytest.approx((mean.low, mean.high), abs=0.02)
    mean = mean_interval(right, seen.patients, resamples=4000)
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx((mean.low, mean.high), abs=0.01)


def test_values_are_those_of_the_confusion() -> None:
    seen = studies(40, seed=1)
    found = operating_intervals(seen.first, seen.truths, seen.patients, 0.6, resamples=200, level=0.9)
    plain = confusion(seen.first, seen.truths, 0.6)
    for name, each in found.items():
        assert each.value == pytest.approx(getattr(plain, name))
        assert each.low < each.value < each.high
        assert (each.level, each.num_clusters) == (0.9, 40)


def test_95_percent_limits_by_patient_hold_the_truth_about_95_times_in_100() -> None:
    many = studies(40_000, seed=99)
    truth = confusion(many.first, many.truths, 0.6)
    held = dict.fromkeys(FIGURES, 0)
    for seed in range(300):
        seen = studies(80, seed)
        found = operating_intervals(seen.first, seen.truths, seen.patients, 0.6, resamples=400, seed=seed)
        for name, each in found.items():
            held[name] += each.low <= getattr(truth, name) <= each.high
    three_standard_errors = 3 * math.sqrt(0.95 * 0.05 / 300)
    for name in FIGURES:
        assert 0.93 - three_standard_errors < held[name] / 300 < 0.95 + three_standard_errors, name


@pytest.mark.parametrize(
    ("truths", "patients"),
    [([], ""), ([1], "a"), ([0, 1, 1], "aaa"), ([1, 1, 1], "abc"), ([0, 0, 0], "abc"), ([0, 1, 1], "abc")],
)
def test_too_little_or_nothing_that_varies_warns_of_nothing(truths: list[int], patients: str) -> None:
    found = operating_intervals([0.2, 0.7, 0.8][: len(truths)], truths, patients, 0.5, resamples=50)
    for each in found.values():
        assert each.num_clusters == len(set(patients))
        if len(set(patients)) < 2 or math.isnan(each.value):
            assert math.isnan(each.low)
        else:
            assert each.low <= each.value <= each.high


def test_ten_thousand_resamples_of_two_thousand_studies_take_a_moment() -> None:
    seen = studies(800, seed=0)
    began = time.process_time()
    operating_intervals(seen.first, seen.truths, seen.patients, 0.6)
    assert time.process_time() - began < 3
