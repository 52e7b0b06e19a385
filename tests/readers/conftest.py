"""Small clips and the files that hold them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from scipy import ndimage

from apical.readers.base import Frames

WriteVideo = Callable[..., Path]


@pytest.fixture(scope="session")
def clip() -> Frames:
    """Smooth moving noise: (24, 60, 70), an odd width so that lines are padded."""
    noise = np.random.default_rng(7).random((24, 60, 70))
    smooth = ndimage.gaussian_filter(noise, (2, 3, 3))
    return np.asarray(np.rint((smooth - smooth.min()) * (255 / np.ptp(smooth))), np.uint8)


@pytest.fixture
def write_video(tmp_path: Path, clip: Frames) -> WriteVideo:
    """Write `clip` as a video of any codec and pixel format."""

    def write(name: str, codec: str = "mjpeg", pixel_format: str = "yuvj420p", fps_hz: int = 50) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps_hz)
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width, stream.pix_fmt = clip.shape[1], clip.shape[2], pixel_format
            stream.options = {"qscale": "2", "flags": "qscale", "qmin": "1"}
            for frame in clip:
                picture = av.VideoFrame.from_ndarray(frame, format="gray")
                container.mux(stream.encode(picture.reformat(format=pixel_format)))
            container.mux(stream.encode())
        return path

    return write
