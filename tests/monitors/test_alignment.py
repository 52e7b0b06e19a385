"""Alignment and uniformity are those of the paper's definitions, pair by pair."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from apical.monitors.alignment import Alignment
from apical.monitors.base import Embedded


def measured(first: Tensor, second: Tensor) -> dict[str, float]:
    return dict(Alignment().measure(Embedded(first, first, first, second, {}, {})))


def unit(vectors: Tensor) -> list[Tensor]:
    return [vector / vector.norm() for vector in vectors.double()]


def slow_uniformity(directions: list[Tensor]) -> float:
    terms = [
        math.exp(-2 * float((a - b).square().sum()))
        for index, a in enumerate(directions)
        for b in directions[:index]
    ]
    return math.log(sum(terms) / len(terms))


def test_figures_are_those_of_a_loop() -> None:
    first, second = torch.randn(2, 12, 6, generator=torch.Generator().manual_seed(0))
    a, b = unit(first), unit(second)
    figures = measured(first, second)
    expected = sum(float((x - y).square().sum()) for x, y in zip(a, b, strict=True)) / 12
    assert figures["alignment"] == pytest.approx(expected)
    assert figures["uniformity"] == pytest.approx((slow_uniformity(a) + slow_uniformity(b)) / 2)


def test_views_that_agree_are_aligned_and_opposite_ones_four_apart() -> None:
    views = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    assert measured(views, 3 * views)["alignment"] == pytest.approx(0, abs=1e-9)
    assert measured(views, -views)["alignment"] == pytest.approx(4)


def test_collapse_is_not_uniform() -> None:
    ones = torch.ones(20, 6)
    assert measured(ones, ones)["uniformity"] == pytest.approx(0, abs=1e-9)
    spread = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    assert measured(spread, spread)["uniformity"] < -1
