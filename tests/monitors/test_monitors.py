"""What every monitor keeps to: quick figures of finite numbers, and none where there is nothing to measure by."""

from __future__ import annotations

import json
import math
import time

import pytest
import torch

from apical import registry
from apical.monitors.base import Embedded, Monitor

NAMES = registry.names("monitors")


def embedded(count: int = 64, size: int = 16, seed: int = 0, shift: float = 0.0) -> Embedded:
    """Features in two clumps by class, and views near their image."""
    random = torch.Generator().manual_seed(seed)
    classes = torch.arange(count) % 2
    bank, queries = torch.randn(2, count, size, generator=random)
    for part in (bank, queries):
        part[:, 0] += 8 * classes - 4
        part += shift
    noise = 0.1 * torch.randn(2, count, size, generator=random)
    return Embedded(
        bank=bank,
        queries=queries,
        first_views=queries + noise[0],
        second_views=queries + noise[1],
        bank_labels={"phase": classes},
        query_labels={"phase": classes},
    )


def monitor(name: str) -> Monitor:
    piece: Monitor = registry.load("monitors", name)()
    return piece


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_plain_numbers_and_the_same_again(name: str) -> None:
    figures = monitor(name).measure(embedded())
    assert figures
    assert all(type(value) is float and math.isfinite(value) for value in figures.values())
    assert json.loads(json.dumps(figures)) == monitor(name).measure(embedded())


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_that_can_be_better_is_measured(name: str) -> None:
    figures = monitor(name).measure(embedded())
    assert all(
        any(figure.startswith(start) for figure in figures) for start in monitor(name).higher_is_better
    )


@pytest.mark.parametrize("name", NAMES)
def test_features_that_are_no_numbers_give_no_figures(name: str) -> None:
    assert monitor(name).measure(embedded(shift=float("nan"))) == {}
    assert monitor(name).measure(embedded(shift=float("inf"))) == {}


@pytest.mark.parametrize("name", NAMES)
def test_no_images_give_no_figures(name: str) -> None:
    assert monitor(name).measure(embedded(count=0)) == {}


@pytest.mark.parametrize("name", NAMES)
def test_collapsed_features_give_finite_figures(name: str) -> None:
    healthy = embedded()
    point = torch.zeros_like(healthy.queries)
    collapsed = Embedded(point, point, point, point, healthy.bank_labels, healthy.query_labels)
    assert all(math.isfinite(value) for value in monitor(name).measure(collapsed).values())


def test_all_monitors_together_take_a_moment() -> None:
    features = embedded(count=256, size=512)
    monitors = [monitor(name) for name in NAMES]
    seconds = []
    for _ in range(3):
        began = time.process_time()
        for each in monitors:
            each.measure(features)
        seconds.append(time.process_time() - began)
    assert min(seconds) < 1.0
