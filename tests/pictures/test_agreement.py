"""Bland-Altman plots: what they say is what the figures are, whatever there is to plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from apical.pictures.agreement import Compared, draw_agreement

REFERENCE = np.random.default_rng(0).uniform(30, 70, 25)


def drawn(monkeypatch: pytest.MonkeyPatch, path: Path, *panels: tuple[np.ndarray, np.ndarray]) -> list[str]:
    """The titles of the plots."""
    titles: list[str] = []
    savefig = Figure.savefig

    def spied(figure: Figure, *args: object, **kwargs: object) -> None:
        titles.extend(axes.get_title(loc="left") for axes in figure.axes)
        savefig(figure, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", spied)
    compared = [Compared("ejection fraction", "points", *panel) for panel in panels]
    draw_agreement(compared, path, "Synthetic data.")
    return titles


def test_bias_limits_and_correlation_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    errors = np.tile([1.0, 3.0], 13)[:25]
    titles = drawn(monkeypatch, tmp_path / "a.png", (REFERENCE + errors, REFERENCE))
    sd, bias = errors.std(ddof=1), errors.mean()
    assert titles[0].startswith("ejection fraction   r 1.00   n 25")
    assert titles[1] == f"bias {bias:+.1f}, limits {bias - 1.96 * sd:+.1f} to {bias + 1.96 * sd:+.1f} points"


def test_the_picture_is_as_wide_as_it_has_panels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for count in (1, 3):
        assert (
            len(drawn(monkeypatch, tmp_path / f"{count}.png", *[(REFERENCE, REFERENCE + 1)] * count))
            == 2 * count
        )
    with Image.open(tmp_path / "1.png") as one, Image.open(tmp_path / "3.png") as three:
        assert three.width == pytest.approx(3 * one.width, abs=3)


@pytest.mark.parametrize(
    ("measured", "reference"),
    [
        ([50.0], [55.0]),
        ([50.0, 50.0], [50.0, 50.0]),
        ([0.0, 0.0], [51.0, 43.0]),
        ([np.nan, 40.0], [50.0, 41.0]),
    ],
    ids=["one", "constant", "one column constant", "one unknown"],
)
def test_what_can_hardly_be_plotted_gives_a_picture_and_no_nan(
    measured: list[float], reference: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    titles = drawn(monkeypatch, tmp_path / "a.png", (np.array(measured), np.array(reference)))
    assert (tmp_path / "a.png").is_file()
    assert not any("nan" in title for title in titles)
