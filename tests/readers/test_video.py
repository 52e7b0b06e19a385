from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from apical.errors import ApicalError
from apical.readers.base import Frames
from apical.readers.video import VideoReader
from tests.readers.conftest import WriteVideo

KINDS = [
    ("a.avi", "mjpeg", "yuvj420p"),
    ("a.mov", "mjpeg", "yuvj422p"),
    ("a.avi", "rawvideo", "bgr24"),
    ("a.avi", "ffv1", "gray"),
    ("a.mp4", "mpeg4", "yuv420p"),
    ("a.m4v", "mpeg4", "yuv420p"),
    ("a.mkv", "ffv1", "gray10le"),
    ("a.gif", "gif", "gray"),
]


@pytest.mark.parametrize(("name", "codec", "pixel_format"), KINDS)
def test_grey_values_survive_every_container_and_pixel_format(
    write_video: WriteVideo, clip: Frames, name: str, codec: str, pixel_format: str
) -> None:
    recording = VideoReader().read(write_video(name, codec, pixel_format))
    assert recording.frames.shape == clip.shape
    assert recording.fps_hz == pytest.approx(50, rel=0.01)
    difference = recording.frames.astype(int) - clip
    assert np.abs(difference).mean() < 3.0
    assert abs(difference.mean()) < 1.0  # a studio range that was not widened would darken everything
    assert not recording.notes


def test_frames_may_be_written_to(write_video: WriteVideo) -> None:
    frames = VideoReader().read(write_video("a.avi")).frames
    frames[0] = 0
    assert frames.flags.c_contiguous


def test_the_header_says_how_many_frames_there_should_be(write_video: WriteVideo, clip: Frames) -> None:
    assert VideoReader().read(write_video("a.avi")).stated_frames == len(clip)


@pytest.mark.parametrize("name", ["a.avi", "a.mov", "a.mkv", "a.gif"])
def test_a_file_that_was_cut_short_is_refused(write_video: WriteVideo, name: str) -> None:
    codec, pixel_format = ("gif", "gray") if name.endswith("gif") else ("mjpeg", "yuvj420p")
    path = write_video(name, codec, pixel_format)
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    with pytest.raises(ApicalError, match=r"stops after|no video"):
        VideoReader().read(path)


def test_the_message_counts_the_frames_before_the_cut(write_video: WriteVideo) -> None:
    path = write_video("a.avi")
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    with pytest.raises(ApicalError, match=r"stops after 1\d of 24 frames"):
        VideoReader().read(path)


def test_a_wrong_count_in_a_whole_file_is_only_noted(write_video: WriteVideo, clip: Frames) -> None:
    path = write_video("a.avi")
    _claim_frames(path, 60)
    recording = VideoReader().read(path)
    assert (len(recording.frames), recording.stated_frames) == (len(clip), 60)
    assert recording.notes == ("the header claims 60 frames, the file holds 24",)


def test_an_absurd_count_takes_no_memory(write_video: WriteVideo, clip: Frames) -> None:
    path = write_video("a.avi")
    _claim_frames(path, 2**31 - 1)
    assert len(VideoReader().read(path).frames) == len(clip)


def test_an_implausible_frame_rate_is_unknown(write_video: WriteVideo) -> None:
    path = write_video("a.avi")
    data = bytearray(path.read_bytes())
    rate_at = data.index(b"vids") + 20
    data[rate_at : rate_at + 8] = struct.pack("<II", 1, 100_000)
    path.write_bytes(data)
    assert VideoReader().read(path).fps_hz is None


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(b"hello" * 100)
    with pytest.raises(ApicalError, match="no video"):
        VideoReader().read(path)
    with pytest.raises(ApicalError, match="not there"):
        VideoReader().read(tmp_path / "b.avi")


def _claim_frames(path: Path, count: int) -> None:
    """Write another number of frames into both headers of an AVI, and drop its index."""
    data = bytearray(path.read_bytes())
    length_at = data.index(b"vids") + 32
    data[length_at : length_at + 4] = struct.pack("<I", count)
    total_at = data.index(b"avih") + 8 + 16
    data[total_at : total_at + 4] = struct.pack("<I", count)
    path.write_bytes(data)
