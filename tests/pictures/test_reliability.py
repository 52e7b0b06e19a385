"""Reliability: points are the bins, limits are drawn, every study is counted, and little is drawn too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from apical.pictures.reliability import Believed, draw_reliability
from apical.statistics.calibration import reliability
from tests.statistics.judged import studies

SEEN = studies(80, seed=1)


def drawn(monkeypatch: pytest.MonkeyPatch, path: Path, *panels: Believed, note: str = "") -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    draw_reliability(panels, path, "Beliefs", note, bins=5)
    return figures[0]


def test_points_and_bars_are_the_bins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    upper, _ = drawn(monkeypatch, tmp_path / "a.png", Believed("ours", SEEN.first, SEEN.truths)).axes
    bins = reliability(SEEN.first, SEEN.truths, 5)
    ideal, points = upper.lines
    assert np.asarray(ideal.get_xdata()).tolist() == np.asarray(ideal.get_ydata()).tolist()
    assert np.asarray(points.get_xdata()).tolist() == [each.belief for each in bins]
    assert np.asarray(points.get_ydata()).tolist() == [each.share for each in bins]
    (bars,) = (each for each in upper.collections if isinstance(each, LineCollection))
    limits = [segment[:, 1].tolist() for segment in map(np.asarray, bars.get_segments())]
    assert limits == [[each.low, each.high] for each in bins]


def test_every_study_is_counted_below(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scores = np.array([0.0, 0.01, 0.5, 1.0])
    _, lower = drawn(monkeypatch, tmp_path / "a.png", Believed("ours", scores, np.array([0, 1, 0, 1]))).axes
    heights = [patch.get_height() for patch in lower.patches]  # type: ignore[attr-defined]
    assert (heights[0], heights[-1], sum(heights)) == (2, 1, 4)


def test_models_stand_side_by_side_with_figures_and_notices(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    panels = [Believed(name, SEEN.first, SEEN.truths) for name in ("ours", "theirs")]
    figure = drawn(monkeypatch, tmp_path / "a.png", *panels, note="Synthetic data.")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0].startswith("ours\nECE 0.")
    assert titles[1].startswith("theirs\nECE 0.")
    assert titles[0].endswith(f"n {SEEN.first.size}")
    assert figure.get_suptitle() == "Beliefs\nSynthetic data."
    assert "Research use only. Not a medical device." in figure.get_supxlabel()


@pytest.mark.parametrize("truths", [[], [1], [0, 0, 0]])
def test_little_is_drawn_without_a_warning(truths: list[int], tmp_path: Path) -> None:
    scores = np.array([0.3, 0.3, 1.0])[: len(truths)]
    draw_reliability([Believed("ours", scores, np.array(truths, int))], tmp_path / "a.png", "Beliefs")
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 300
