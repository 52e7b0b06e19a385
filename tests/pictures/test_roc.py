"""Curves of ranking: they are those of the scores, each model is named with its figures, and little is drawn too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from sklearn import metrics

from apical.pictures.roc import Ranked, draw_roc
from apical.statistics.bootstrap import Estimate
from tests.statistics.judged import studies

SEEN = studies(40, seed=1)
AUROC, AUPRC = Estimate(0.85, 0.8, 0.9, 0.95, 40), Estimate(0.7, 0.6, np.nan, 0.95, 40)


def ranked(name: str = "ours", threshold: float | None = 0.6) -> Ranked:
    return Ranked(
        name=name, scores=SEEN.first, truths=SEEN.truths, auroc=AUROC, auprc=AUPRC, threshold=threshold
    )


def drawn(monkeypatch: pytest.MonkeyPatch, path: Path, *models: Ranked, note: str = "") -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    draw_roc(models, path, "Severe stenosis", note)
    return figures[0]


def line(axes: Axes, number: int) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(axes.lines[number].get_xdata()), np.asarray(axes.lines[number].get_ydata())


def test_the_curves_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    left, right = drawn(monkeypatch, tmp_path / "a.png", ranked()).axes
    alarms, found, _ = metrics.roc_curve(SEEN.truths, SEEN.first, drop_intermediate=False)
    np.testing.assert_allclose(line(left, 0), (alarms[::-1], found[::-1]))
    recall, precision = line(right, 0)
    area = -np.sum(np.diff(recall) * precision[:-1])  # each precision holds until the next recall
    assert area == pytest.approx(metrics.average_precision_score(SEEN.truths, SEEN.first))
    assert (recall[0], recall[-1], right.lines[0].get_drawstyle()) == (1, 0, "steps-post")


def test_the_dot_stands_where_the_threshold_leads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    left, right = drawn(monkeypatch, tmp_path / "a.png", ranked(threshold=0.6)).axes
    answers = SEEN.first >= 0.6
    found = metrics.recall_score(SEEN.truths, answers)
    alarms = 1 - metrics.recall_score(~SEEN.truths, ~answers)
    assert [float(place[0]) for place in line(left, 1)] == pytest.approx([alarms, found])
    precision = metrics.precision_score(SEEN.truths, answers)
    assert [float(place[0]) for place in line(right, 1)] == pytest.approx([found, precision])


def test_models_guesses_and_notices_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models = (ranked("ours", None), ranked("theirs", None))
    figure = drawn(monkeypatch, tmp_path / "a.png", *models, note="Synthetic data.")
    left, right = figure.axes
    (legend,) = figure.legends
    figures = "AUROC 0.85 (0.80 to 0.90)   AUPRC 0.70 (0.60 to –)"
    assert [text.get_text() for text in legend.get_texts()] == [f"ours:   {figures}", f"theirs:   {figures}"]
    assert [each.tolist() for each in line(left, 2)] == [[0, 1], [0, 1]]
    assert line(right, 2)[1].tolist() == [SEEN.truths.mean()] * 2
    said = f"{legend.get_title().get_text()} {figure.get_supxlabel()}"
    assert (
        said == "Severe stenosis\nSynthetic data. Dashed: a guess. Research use only. Not a medical device."
    )


@pytest.mark.parametrize("truths", [[], [1], [0, 0], [1, 1], [0, 1]])
def test_little_is_drawn_without_a_warning(truths: list[int], tmp_path: Path) -> None:
    nothing = Estimate(np.nan, np.nan, np.nan, 0.95, 0)
    scores = np.array([0.3, 0.8])[: len(truths)]
    model = Ranked(
        name="ours", scores=scores, truths=np.array(truths, int), auroc=nothing, auprc=nothing, threshold=0.9
    )
    draw_roc([model], tmp_path / "a.png", "Severe stenosis")
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 300
