"""Curves show what the metrics hold, in epochs, at any length, and nothing that they do not hold."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from apical.pictures.curves import MOST_POINTS, Panel, draw_curves, draw_panels, grid_of, panels_of

HELD_OUT = {
    "val_loss": 2.5,
    "knn_phase": 0.8,
    "chance_phase": 0.5,
    "rankme": 30.0,
    "feature_spread": 0.7,
    "alignment": 0.4,
    "uniformity": -2.0,
}


def metrics(epochs: int, steps_per_epoch: int = 10, every: int = 5) -> list[dict[str, float]]:
    """Lines as training writes them: the epoch counts whole ones, and held-out figures come at their ends."""
    lines = []
    for step in range(every, epochs * steps_per_epoch + 1, every):
        line = {"step": step, "epoch": step // steps_per_epoch, "loss": 5 - step / 1e6, "spread": 0.9}
        line |= {"lr": 1e-3, "images_per_s": 100.0}
        lines.append(line | HELD_OUT if step % steps_per_epoch == 0 else line)
    return lines


def by_title(panels: list[Panel]) -> dict[str, Panel]:
    return {panel.title: panel for panel in panels}


def test_every_kind_of_figure_has_its_chart() -> None:
    panels = by_title(panels_of(metrics(3)))
    drawn = {curve.figure for panel in panels.values() for curve in panel.curves}
    assert drawn == {"loss", "lr", "spread", *HELD_OUT} - {"chance_phase"}
    assert panels["kNN accuracy: phase"].chance == 0.5


def test_figures_stand_at_their_epochs() -> None:
    loss = panels_of(metrics(4))[0]
    train, held_out = loss.curves
    assert train.where is not None
    assert held_out.where is not None
    assert train.where.tolist() == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert held_out.where.tolist() == [1, 2, 3, 4]
    assert (loss.axis, loss.end) == ("epoch", 4)


def test_before_the_first_epoch_is_over_steps_are_counted() -> None:
    panel = panels_of(metrics(1)[:1])[0]
    assert panel.axis == "step"
    assert panel.end == 5


def test_values_that_are_no_numbers_are_left_out() -> None:
    lines = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": float("nan")}, {"step": 3, "loss": 1.0}]
    curve = panels_of(lines)[0].curves[0]
    assert curve.values is not None
    assert curve.values.tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("count", "grid"),
    [(0, (0, 0)), (1, (1, 1)), (2, (1, 2)), (5, (2, 3)), (6, (2, 3)), (7, (2, 4)), (8, (2, 4)), (9, (3, 3))],
)
def test_charts_fill_their_grid(count: int, grid: tuple[int, int]) -> None:
    assert grid_of(count) == grid


def test_long_runs_are_thinned_and_keep_their_ends() -> None:
    began = time.process_time()
    panels = panels_of(metrics(200, steps_per_epoch=500, every=1))
    figure = Figure()
    draw_panels(figure, panels)
    assert time.process_time() - began < 10
    faint, smooth = figure.axes[0].lines[:2]
    for line in (faint, smooth):
        where = np.asarray(line.get_xdata())
        assert len(where) == MOST_POINTS
        assert (where[0], where[-1]) == (1 / 500, 200)


def test_the_thick_line_is_the_mean_of_its_surroundings() -> None:
    random = np.random.default_rng(0)
    lines = [{"step": step, "loss": 3 + random.standard_normal()} for step in range(500)]
    figure = Figure()
    draw_panels(figure, panels_of(lines))
    faint, smooth = (np.asarray(line.get_ydata(), dtype=float) for line in figure.axes[0].lines[:2])
    assert smooth[250] == pytest.approx(faint[240:261].mean())
    assert smooth[0] == pytest.approx(faint[:11].mean())


@pytest.mark.parametrize("lines", [metrics(1), metrics(2)[:1], metrics(2)[-1:], metrics(60), [HELD_OUT]])
def test_any_length_can_be_drawn(lines: list[dict[str, float]], tmp_path: Path) -> None:
    assert draw_curves(lines, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.min() < 100
    assert pixels.max() == 255


@pytest.mark.parametrize("lines", [[], [{"step": 3, "images_per_s": 5.0}]])
def test_nothing_to_draw_leaves_no_file(lines: list[dict[str, float]], tmp_path: Path) -> None:
    assert not draw_curves(lines, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
