"""Strips of points: a row a group, whatever the group holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from apical.pictures.distribution import draw_distribution

DICE = np.random.default_rng(0).uniform(0.7, 1, 30)


def test_each_group_has_its_name_its_mean_and_its_points(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: list[Figure] = []
    savefig = Figure.savefig

    def spied(figure: Figure, *args: object, **kwargs: object) -> None:
        figures.append(figure)
        savefig(figure, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", spied)
    groups = {"lv, ed": DICE, "lv, es": DICE - 0.1}
    draw_distribution(groups, tmp_path / "a.png", "Dice of each image.")
    (axes,) = figures[0].axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [f"{name}\nmean {values.mean():.3f}" for name, values in groups.items()]
    points = [np.asarray(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
    for drawn, values in zip(points, groups.values(), strict=True):
        np.testing.assert_array_equal(drawn, values)
    medians = [float(np.asarray(line.get_xdata())[0]) for line in axes.lines if line.get_marker() == "|"]
    assert medians == pytest.approx([np.median(values) for values in groups.values()])


def test_the_same_values_give_the_same_picture(tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw_distribution({"lv": DICE}, tmp_path / f"{name}.png", "Dice.")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("values", [[0.9], [0.0, 0.0, 0.0], [1.0] * 50, [0.2, 0.9]])
def test_one_image_and_constant_values_are_drawn_without_a_warning(
    values: list[float], tmp_path: Path
) -> None:
    draw_distribution({"lv, ed": np.array(values)}, tmp_path / "a.png", "Dice of each image.")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > picture.height > 100


def test_more_groups_make_it_higher(tmp_path: Path) -> None:
    heights = []
    for count in (1, 6):
        draw_distribution({str(number): DICE for number in range(count)}, tmp_path / "a.png", "Dice.")
        with Image.open(tmp_path / "a.png") as picture:
            heights.append(picture.height)
    assert heights[1] > heights[0] + 200
