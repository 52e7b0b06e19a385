"""Pictures of parcels: whatever names and numbers there are, no word is cut off and no two frames' words overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from apical.atlas import Atlas, ClipMap
from apical.correspondences import Correspondences
from apical.pictures.correspondences import draw_correspondences
from apical.pictures.parcels import Reason, draw_atlas, draw_clip, draw_reasons

NAME = "0XWMWMWMWMWMWMWMWM"
NOTE = "Synthetic data."


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """What is drawn, instead of being written."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, _path, **_: figures.append(figure))
    return figures


def boxes(figure: Figure) -> dict[str, Bbox]:
    """Where words lie, as shares of the figure."""
    figure.set_dpi(110)
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    texts = [*figure.texts]
    for axes in figure.axes:
        texts += [axes.title, axes._left_title, *axes.texts]  # type: ignore[attr-defined]
    found: dict[str, Bbox] = {}
    for text in texts:
        if text.get_text():
            extent = text.get_window_extent(renderer)
            found[f"{len(found)} {text.get_text()}"] = extent.transformed(figure.transFigure.inverted())
    return found


def assert_readable(figure: Figure) -> None:
    found = boxes(figure)
    for words, box in found.items():
        assert box.x0 >= 0 <= box.y0, words
        assert box.x1 <= 1 >= box.y1, words
    pairs = [(one, other) for one in found for other in found if one < other]
    assert not [pair for pair in pairs if found[pair[0]].overlaps(found[pair[1]])]


def maps(frames: int, side: int = 28) -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, 64, (frames, side, side))


def masks(side: int = 28) -> dict[str, npt.NDArray[np.bool_]]:
    y, x = np.mgrid[:side, :side]
    whole, none = np.ones((side, side), bool), np.zeros((side, side), bool)
    return {"lv": (y - 14) ** 2 + (x - 14) ** 2 < 50, "myo": none, "la": whole}


@pytest.mark.parametrize(("count", "structures"), [(1, ("lv", "myo", "la")), (10, ()), (21, ("lv", "la"))])
def test_an_atlas_of_any_number_of_parcels(
    count: int, structures: tuple[str, ...], drawn: list[Figure], tmp_path: Path
) -> None:
    atlas = Atlas.empty(structures, 100, (28, 28))
    own = np.stack([masks()[name] for name in structures]) if structures else None
    atlas.add(np.random.default_rng(1).random((28, 28)), maps(1)[0] % count, own)
    draw_atlas(atlas, tmp_path / "a.png", NOTE)
    assert len(drawn[0].axes) == count
    assert_readable(drawn[0])


@pytest.mark.parametrize(("frames", "shown"), [(1, 1), (16, 8)])
def test_clips_of_any_number_of_frames(frames: int, shown: int, drawn: list[Figure], tmp_path: Path) -> None:
    pixels = np.zeros((frames, 28, 28), np.uint8)
    clip = ClipMap(NAME, tuple(range(1000, 1000 + frames)), pixels, maps(frames))
    draw_clip([clip, clip], tmp_path / "c.png", NOTE)
    assert len(drawn[0].axes) == 2 * shown
    assert_readable(drawn[0])


@pytest.mark.parametrize(
    ("size", "structures"),
    [((28, 28), ("lv",)), ((40, 20), ("lv", "myo", "la")), ((20, 40), ("lv", "myo", "la"))],
)
def test_reasons_for_images_of_any_shape(
    size: tuple[int, int], structures: tuple[str, ...], drawn: list[Figure], tmp_path: Path
) -> None:
    height, width = size

    def fit(mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.resize(mask, (height, width))

    own = {name: fit(masks()[name]) for name in structures}
    members: dict[str, tuple[int, ...]] = dict.fromkeys(structures, ())
    pixels, parcels = np.zeros(size, np.uint8), fit(maps(1)[0])
    reason = Reason(pixels, parcels, {**members, "lv": (1, 2)}, own, own, f"{NAME}, frame 1234")
    draw_reasons([reason] * 3, tmp_path / "r.png", NOTE)
    assert len(drawn[0].axes) == 3 * (3 + len(structures))
    assert_readable(drawn[0])


def test_correspondences_with_the_shifts_in_sight(drawn: list[Figure], tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 0.3, 500).clip(-1, 1).astype(np.float32)
    found = Correspondences({"self": values, "clip": values[::2], "other": values[::-1]})
    draw_correspondences(found, 112, tmp_path / "c.png", NOTE)
    assert_readable(drawn[0])
    shown = " ".join(boxes(drawn[0]))
    assert f"self_shift {found.shifts(112)['self']:.2f}" in shown
    assert NOTE in shown
