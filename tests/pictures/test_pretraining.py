"""The picture of a pretraining run says what it is, whatever there is to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from apical.pictures.pretraining import draw_pretraining

LINES = [{"step": 10 * epoch, "epoch": epoch, "loss": 3 - epoch, "knn_phase": 0.6} for epoch in (1, 2)]


def drawn(
    monkeypatch: pytest.MonkeyPatch, path: Path, lines: list[dict[str, float]], count: int, is_synthetic: bool
) -> tuple[list[str], int]:
    """What is written on the picture, and how high it is."""
    written: list[str] = []
    savefig = Figure.savefig

    def spied(figure: Figure, *args: object, **kwargs: object) -> None:
        written.extend(text.get_text() for part in figure.subfigs for text in part.texts)
        savefig(figure, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", spied)
    frames = np.full((count, 8, 8), 128, dtype=np.uint8)
    neighbours = np.full((count, 3, 8, 8), 60, dtype=np.uint8)
    draw_pretraining(lines, frames, neighbours, np.full((count, 3), 0.5), path, "A run", is_synthetic)
    with Image.open(path) as picture:
        return written, picture.height


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_synthetic_data_are_called_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_synthetic: bool
) -> None:
    written, _ = drawn(monkeypatch, tmp_path / "a.png", LINES, 2, is_synthetic)
    assert ("synthetic data" in written) is is_synthetic
    assert {"A run", "Research use only. Not a medical device."} <= set(written)


def test_what_is_missing_takes_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    both = drawn(monkeypatch, tmp_path / "both.png", LINES, 4, is_synthetic=True)[1]
    curves = drawn(monkeypatch, tmp_path / "curves.png", LINES, 0, is_synthetic=True)[1]
    sheet = drawn(monkeypatch, tmp_path / "sheet.png", [], 4, is_synthetic=True)[1]
    neither = drawn(monkeypatch, tmp_path / "neither.png", [], 0, is_synthetic=True)[1]
    assert neither < min(curves, sheet)
    assert curves + sheet == pytest.approx(both + neither, abs=2)
