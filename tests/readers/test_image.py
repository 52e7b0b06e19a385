from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apical.errors import ApicalError
from apical.readers.base import Frames
from apical.readers.image import ImageReader


@pytest.fixture
def grey(clip: Frames) -> Frames:
    return np.asarray(clip[0])


@pytest.mark.parametrize("ending", ["png", "bmp", "tif"])
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_grey_values_are_kept_by_lossless_files(tmp_path: Path, grey: Frames, ending: str, mode: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(grey).convert(mode).save(path)
    recording = ImageReader().read(path)
    assert np.array_equal(recording.frames, grey[None])
    assert not recording.notes


def test_jpeg_is_close(tmp_path: Path, grey: Frames) -> None:
    Image.fromarray(grey).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(ImageReader().read(tmp_path / "a.jpg").frames[0].astype(int) - grey).mean() < 2


def test_colours_become_luma(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).save(tmp_path / "a.png")
    assert ImageReader().read(tmp_path / "a.png").frames[0].tolist() == [[76, 150, 29]]


def test_what_is_transparent_is_black(tmp_path: Path) -> None:
    pixels = np.array([[[255, 255, 255, 0], [255, 255, 255, 255]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert ImageReader().read(tmp_path / "a.png").frames[0].tolist() == [[0, 255]]


def test_sixteen_bits_are_scaled_with_a_note(tmp_path: Path, grey: Frames) -> None:
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.png")
    recording = ImageReader().read(tmp_path / "a.png")
    assert np.abs(recording.frames[0].astype(int) - grey).max() <= 2
    assert recording.notes


def test_pages_are_frames(tmp_path: Path, clip: Frames) -> None:
    pages = [Image.fromarray(frame) for frame in clip]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(ImageReader().read(tmp_path / "a.tif").frames, clip)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_labels_are_untouched(tmp_path: Path, mode: str) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (20, 30), np.uint8)
    picture = Image.fromarray(labels)
    if mode == "P":
        picture.putpalette([200, 10, 10, 20, 200, 20, 9, 9, 9, 77, 77, 77])
    picture.save(tmp_path / "a.png")
    assert np.array_equal(ImageReader().read_labels(tmp_path / "a.png"), labels[None])


def test_labels_are_not_read_from_lossy_or_coloured_files(tmp_path: Path, grey: Frames) -> None:
    Image.fromarray(grey).save(tmp_path / "a.jpg")
    Image.fromarray(grey).convert("RGB").save(tmp_path / "a.png")
    for name in ("a.jpg", "a.png"):
        with pytest.raises(ApicalError, match="lossless"):
            ImageReader().read_labels(tmp_path / name)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ApicalError):
        ImageReader().read(tmp_path / "a.png")
