"""A video that browsers play, and maps on frames."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from apical.errors import MachineError
from apical.pictures.heat import heated
from apical.pictures.video import WAYS, write_video


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0])
def test_what_was_written_is_read(
    way: tuple[str, str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apical.pictures.video.WAYS", (way,))
    frames = np.zeros((5, 48, 64, 3), np.uint8)
    frames[:, :, :, 0] = np.arange(5)[:, None, None] * 50
    path = write_video(tmp_path / "clip", frames, 6)
    assert path.name == f"clip.{way[1]}"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 6
        read = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).mean() < 8


def test_without_an_encoder_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apical.pictures.video.WAYS", (("no_such_codec", "mp4", {}),))
    with pytest.raises(MachineError, match=r"neither H\.264 nor VP9"):
        write_video(tmp_path / "clip", np.zeros((1, 16, 16, 3), np.uint8), 6)


def test_grey_stays_grey_where_nothing_is_salient_and_is_coloured_where_most_is() -> None:
    pixels = np.array([[0, 100, 255, 100]], np.uint8)
    shares = np.array([[0.0, 0.1, 0.0, 1.0]])
    hot = heated(pixels, shares).astype(int)
    assert hot.shape == (1, 4, 3)
    np.testing.assert_array_equal(hot[0, :3], np.repeat(pixels[0, :3, None], 3, axis=1))
    assert hot[0, 3, 0] > hot[0, 3, 2] + 60
