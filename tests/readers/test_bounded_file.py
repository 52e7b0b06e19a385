from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
from PIL import Image

from apical.readers._bounded_file import BoundedFile
from apical.readers.image import ImageReader


def test_no_more_is_asked_of_a_file_than_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with BoundedFile(path) as file:
        assert file.read(4) == b"0123"
        assert file.read(2**62) == b"456789"  # room for that much can't be made
        assert file.read(2**62) == file.read() == b""


def test_a_png_whose_chunk_claims_gigabytes_takes_no_room_for_them(tmp_path: Path) -> None:
    path, grey = tmp_path / "a.png", np.random.default_rng(1).integers(0, 256, (40, 50), np.uint8)
    Image.fromarray(grey).save(path)
    content = path.read_bytes()
    length_at = content.index(b"IDAT") - 4
    path.write_bytes(content[:length_at] + b"\xff" * 4 + content[length_at + 4 :])
    tracemalloc.start()
    try:
        frames = ImageReader().read(path).frames
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(frames[0], grey)
    assert most_bytes < 2**26
