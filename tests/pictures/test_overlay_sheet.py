"""Sheets of overlays: as many tiles as images, in true proportions, and contours where the masks are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from apical.pictures.overlay_sheet import (
    COLUMNS,
    Overlay,
    draw_overlay_file,
    draw_overlays,
    overlay_proportion,
)

GREY = np.full((40, 32), 90, np.uint8)
EMPTY = np.zeros(GREY.shape, np.bool_)
BOX = EMPTY.copy()
BOX[10:20, 8:24] = True


def overlay(found: np.ndarray = BOX, truth: np.ndarray = BOX, aspect: float = 1.0) -> Overlay:
    return Overlay(GREY, {"lv": found}, {"lv": truth}, "p00-a4c ED Dice 0.912", aspect)


@pytest.mark.parametrize("count", [1, 5, 6, 7, 13])
def test_the_picture_is_as_high_as_its_rows(count: int, tmp_path: Path) -> None:
    draw_overlay_file([overlay()] * count, tmp_path / "sheet.png", "Worst images.")
    draw_overlay_file([overlay()] * COLUMNS, tmp_path / "row.png", "Worst images.")
    with Image.open(tmp_path / "sheet.png") as sheet, Image.open(tmp_path / "row.png") as row:
        heading = 0.45 * 110
        rows = -(-count // COLUMNS)
        assert sheet.width == row.width
        assert sheet.height == pytest.approx(heading + rows * (row.height - heading), abs=2)


def test_pixels_that_are_not_square_are_drawn_as_they_are() -> None:
    assert overlay(aspect=1.5).height == pytest.approx(1.5 * 40 / 32)
    assert overlay_proportion([overlay(aspect=1.5)]) > overlay_proportion([overlay()])
    assert overlay_proportion([]) == 0


@pytest.mark.parametrize("found", [EMPTY, ~EMPTY, BOX], ids=["nothing", "everything", "a box"])
@pytest.mark.parametrize("truth", [EMPTY, ~EMPTY, BOX], ids=["nothing", "everything", "a box"])
def test_masks_of_nothing_and_of_everything_are_drawn_without_a_warning(
    found: np.ndarray, truth: np.ndarray, tmp_path: Path
) -> None:
    draw_overlay_file([overlay(found, truth)], tmp_path / "sheet.png", "Worst images.")
    assert (tmp_path / "sheet.png").is_file()


def contours(*overlays: Overlay) -> list[np.ndarray]:
    """Vertices (N, 2) of the lines that are drawn."""
    axes = Figure().add_subplot()
    draw_overlays(overlays, axes)
    paths = [path for lines in axes.collections for path in lines.get_paths()]
    return [vertices for vertices in (np.asarray(path.vertices) for path in paths) if vertices.size]


def test_contours_lie_on_the_edges_of_their_masks() -> None:
    for vertices in contours(overlay()):
        np.testing.assert_allclose(
            [vertices.min(axis=0), vertices.max(axis=0)], [[8 / 32, 10 / 32], [24 / 32, 20 / 32]]
        )


def test_a_mask_at_the_border_has_a_closed_contour() -> None:
    """Else a model that finds everything looks as if it had found nothing."""
    left = EMPTY.copy()
    left[:, :8] = True
    for mask in (left, ~EMPTY):
        (vertices, _) = contours(overlay(mask, mask))
        assert vertices[:, 0].min() == pytest.approx(0, abs=0.02)
        assert np.ptp(vertices[:, 1]) == pytest.approx(40 / 32, abs=0.04)
        np.testing.assert_array_equal(vertices[0], vertices[-1])
