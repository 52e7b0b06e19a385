"""What every metric keeps to: plain numbers, the same both ways, best for equal masks, rules for empty ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from apical import registry
from apical.metrics.base import MaskPair, Metric
from tests.metrics.blobs import EMPTY, disc, pairs

NAMES = registry.names("metrics")
DISTANCES = ["asd", "hd95"]
PAIRS = pairs((0.7, 0.4))


def metric(name: str) -> Metric:
    piece: Metric = registry.load("metrics", name)()
    return piece


def test_overlaps_and_distances_are_there() -> None:
    assert {"dice", "iou", *DISTANCES} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_says_its_unit_and_which_way_is_better(name: str) -> None:
    assert metric(name).unit in {"", "mm"}
    assert isinstance(metric(name).higher_is_better, bool)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", PAIRS)
def test_figures_are_plain_finite_numbers_and_the_same_both_ways(name: str, case: str) -> None:
    pair = PAIRS[case]
    figure = metric(name).measure(pair)
    assert type(figure) is float
    assert math.isfinite(figure)
    assert figure >= 0
    assert figure == pytest.approx(metric(name).measure(MaskPair(pair.truth, pair.found, pair.spacing)))


def best(name: str) -> float:
    return 1.0 if metric(name).higher_is_better else 0.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", PAIRS)
def test_equal_masks_have_the_best_figure_and_others_a_worse_one(name: str, case: str) -> None:
    pair = PAIRS[case]
    assert metric(name).measure(MaskPair(pair.truth, pair.truth.copy(), pair.spacing)) == best(name)
    assert metric(name).measure(pair) != best(name) or case == "alike"


@pytest.mark.parametrize("name", NAMES)
def test_two_empty_masks_agree(name: str) -> None:
    assert metric(name).measure(MaskPair(EMPTY, EMPTY)) == best(name)


@pytest.mark.parametrize("name", NAMES)
def test_with_one_empty_mask_nothing_overlaps_and_no_distance_is_known(name: str) -> None:
    mask = disc(20, 20, 5)
    for pair in (MaskPair(mask, EMPTY), MaskPair(EMPTY, mask)):
        figure = metric(name).measure(pair)
        assert type(figure) is float
        assert math.isnan(figure) if metric(name).unit == "mm" else figure == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_better_mask_has_a_better_figure(name: str) -> None:
    truth = disc(24, 32, 12)
    near, far = (metric(name).measure(MaskPair(disc(24, 32 + shift, 12), truth)) for shift in (2, 9))
    assert near > far if metric(name).higher_is_better else near < far


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", PAIRS)
def test_only_figures_in_mm_grow_with_the_spacing(name: str, case: str) -> None:
    pair = PAIRS[case]
    wider = MaskPair(pair.found, pair.truth, (pair.spacing[0] * 3, pair.spacing[1] * 3))
    factor = 3 if metric(name).unit == "mm" else 1
    assert metric(name).measure(wider) == pytest.approx(factor * metric(name).measure(pair))


@pytest.mark.parametrize("name", NAMES)
def test_masks_are_not_written_to(name: str) -> None:
    found, truth = disc(20, 20, 5), disc(22, 20, 6)
    copies = found.copy(), truth.copy()
    metric(name).measure(MaskPair(found, truth))
    assert np.array_equal(found, copies[0])
    assert np.array_equal(truth, copies[1])
