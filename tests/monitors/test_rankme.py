"""Effective rank counts directions, as the paper's formula does; spread tells health from collapse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from apical.monitors.base import Embedded
from apical.monitors.rankme import RankMe

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lightly.utils.debug import std_of_l2_normalized


def measured(vectors: Tensor) -> dict[str, float]:
    half = len(vectors) // 2
    none = torch.zeros(0, vectors.shape[1])
    return dict(RankMe().measure(Embedded(vectors[:half], vectors[half:], none, none, {}, {})))


def gaussian(count: int, size: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(100, 30), (30, 100)])
def test_the_rank_is_that_of_the_formula(shape: tuple[int, int]) -> None:
    vectors = gaussian(*shape) + 1
    singular = np.linalg.svd(vectors.double().numpy(), compute_uv=False)
    shares = singular / singular.sum() + 1e-12
    assert measured(vectors)["rankme"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 7])
def test_equal_directions_are_counted(rank: int) -> None:
    vectors = torch.eye(rank, 20).repeat(6, 1)
    assert measured(vectors)["rankme"] == pytest.approx(rank, rel=1e-3)


def test_the_spread_is_that_of_lightly() -> None:
    vectors = gaussian(80, 24) + 0.5
    expected = float(std_of_l2_normalized(vectors)) * 24**0.5
    assert measured(vectors)["feature_spread"] == pytest.approx(expected, rel=1e-5)


def test_spread_is_one_when_all_is_well_and_zero_after_collapse() -> None:
    assert measured(gaussian(400, 64))["feature_spread"] == pytest.approx(1, abs=0.02)
    assert measured(torch.ones(400, 64))["feature_spread"] == pytest.approx(0, abs=1e-9)
    assert measured(torch.ones(400, 64))["rankme"] == pytest.approx(1, abs=1e-3)
