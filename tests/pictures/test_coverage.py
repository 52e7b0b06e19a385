"""Accuracy by share answered: the last point is the accuracy of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from apical.pictures.coverage import draw_coverage


def test_the_curve_ends_at_the_accuracy_of_all_and_ties_are_answered_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    confidences, right = np.array([0.5, 0.9, 0.9, 0.7]), np.array([0.0, 1.0, 0.0, 1.0])
    draw_coverage(confidences, right, tmp_path / "a.png", "Accuracy", threshold=0.7, wanted=0.6)
    curve, _, point = figures[0].axes[0].lines
    np.testing.assert_allclose(np.asarray(curve.get_xdata()), [50, 75, 100])
    np.testing.assert_allclose(np.asarray(curve.get_ydata()), [50, 200 / 3, 50])
    assert np.asarray(point.get_xdata()).item() == 75
    assert np.asarray(point.get_ydata()).item() == pytest.approx(200 / 3)


@pytest.mark.parametrize("threshold", [None, 0.0, 2.0])
def test_one_image_is_drawn_without_a_warning(threshold: float | None, tmp_path: Path) -> None:
    draw_coverage(
        np.array([0.4]), np.array([0.0]), tmp_path / "a.png", "Accuracy", threshold=threshold, wanted=0.9
    )
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 100
