"""Iou is scikit-learn's jaccard_score over pixels."""

from __future__ import annotations

import pytest
from sklearn.metrics import jaccard_score

from apical.metrics.iou import Iou
from tests.metrics.blobs import pairs


@pytest.mark.parametrize("case", pairs())
def test_iou_is_scikit_learns(case: str) -> None:
    pair = pairs()[case]
    theirs = jaccard_score(pair.truth.ravel(), pair.found.ravel())
    assert Iou().measure(pair) == pytest.approx(theirs)


def test_spacing_does_not_matter() -> None:
    assert Iou().measure(pairs((0.3, 2.0))["nested"]) == Iou().measure(pairs()["nested"])
