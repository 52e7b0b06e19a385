"""Dice is scikit-learn's f1_score over pixels."""

from __future__ import annotations

import pytest
from sklearn.metrics import f1_score

from apical.metrics.dice import Dice
from tests.metrics.blobs import pairs


@pytest.mark.parametrize("case", pairs())
def test_dice_is_scikit_learns(case: str) -> None:
    pair = pairs()[case]
    theirs = f1_score(pair.truth.ravel(), pair.found.ravel())
    assert Dice().measure(pair) == pytest.approx(theirs)


def test_spacing_does_not_matter() -> None:
    assert Dice().measure(pairs((0.3, 2.0))["nested"]) == Dice().measure(pairs()["nested"])
