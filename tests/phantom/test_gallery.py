from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from apical.phantom.gallery import draw_gallery


def test_the_gallery_is_one_picture_with_coloured_truth(tmp_path: Path) -> None:
    draw_gallery(tmp_path / "gallery.png", seed=2)
    picture = np.asarray(Image.open(tmp_path / "gallery.png")).astype(int)
    height, width, _ = picture.shape
    coloured = (picture.max(axis=2) - picture.min(axis=2)) > 60
    assert width > height > 4 * 192
    assert coloured[:, int(0.81 * width) :].sum() > 1000
    assert not coloured[:, : int(0.8 * width)].any()
