"""Tables of what is taken for what: every count, whatever is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from apical.pictures.confusion import draw_confusion

COUNTS = {"A2C": {"A2C": 3, "A4C": 1, "can't tell": 0}, "A4C": {"A2C": 0, "A4C": 0, "can't tell": 7}}


def test_every_count_and_its_share_of_the_row_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: list[Figure] = []
    savefig = Figure.savefig

    def spied(figure: Figure, *args: object, **kwargs: object) -> None:
        figures.append(figure)
        savefig(figure, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", spied)
    draw_confusion(COUNTS, tmp_path / "a.png", "What is taken for what", "Synthetic data.")
    (axes,) = figures[0].axes
    assert [text.get_text() for text in axes.texts] == ["3\n75%", "1\n25%", "0", "0", "0", "7\n100%"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["A2C", "A4C", "can't tell"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A2C", "A4C"]
    said = " ".join(text.get_text() for text in figures[0].texts)
    assert "Synthetic data." in said
    assert "Research use only. Not a medical device." in said


@pytest.mark.parametrize(
    "counts",
    [
        {"A4C": {"A4C": 1}},
        {"A4C": {"A4C": 0, "can't tell": 0}},
        {str(row): {str(column): row * column for column in range(6)} for row in range(5)},
    ],
)
def test_one_view_and_empty_rows_are_drawn_without_a_warning(
    counts: dict[str, dict[str, int]], tmp_path: Path
) -> None:
    draw_confusion(counts, tmp_path / "a.png", "Answers")
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 100


def test_the_same_counts_give_the_same_picture(tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw_confusion(COUNTS, tmp_path / f"{name}.png", "Answers")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
