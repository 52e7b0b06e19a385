"""Each query stands before its neighbours, in their order, framed and with captions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from apical.pictures.neighbour_sheet import draw_neighbours, sheet_size


def frames(count: int, k: int, height: int = 6, width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Frames whose grey is their number: queries 0, 1, …, and neighbour j of query i is 10 i + j + 100."""
    flat = np.ones((height, width), dtype=np.uint8)
    neighbours = [[flat * (100 + 10 * query + turn) for turn in range(k)] for query in range(count)]
    shown = np.array(neighbours, dtype=np.uint8).reshape(count, k, height, width)
    return np.array([flat * query for query in range(count)]), shown


def captions(count: int, k: int) -> list[list[str]]:
    return [[f"{query}.{turn}" for turn in range(k)] for query in range(count)]


def rows_of(images: Iterable[AxesImage]) -> list[list[int]]:
    """Greys as they stand on the sheet, row by row from left to right."""
    rows: dict[float, list[tuple[float, int]]] = {}
    for image in images:
        left, _, _, top = image.get_extent()
        array = image.get_array()
        assert array is not None
        rows.setdefault(round(top, 3), []).append((left, int(array[0, 0])))
    return [[grey for _, grey in sorted(row)] for _, row in sorted(rows.items())]


def test_neighbours_follow_their_query() -> None:
    axes = Figure().add_subplot()
    draw_neighbours(*frames(3, 2), captions(3, 2), axes)
    assert rows_of(axes.images) == [[0, 100, 101, 1, 110, 111], [2, 120, 121]]
    assert [text.get_text() for text in axes.texts] == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1"]
    assert len(axes.patches) == 3


@pytest.mark.parametrize(("count", "k"), [(1, 1), (1, 5), (4, 3), (10, 5)])
def test_all_that_is_drawn_fits_on_the_sheet(count: int, k: int) -> None:
    axes = Figure().add_subplot()
    draw_neighbours(*frames(count, k), captions(count, k), axes)
    width, height = sheet_size((count, k, 6, 8))
    for image in axes.images:
        left, right, bottom, top = image.get_extent()
        assert 0 <= left < right <= width + 1e-9
        assert 0 <= top < bottom < height


def test_greys_are_not_stretched(tmp_path: Path) -> None:
    draw_neighbours(*frames(2, 1), captions(2, 1), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        colours = picture.convert("L").getcolors()
    assert colours is not None
    greys = {grey for count, grey in colours if count > 1000}
    assert {0, 1, 100, 110} <= greys
