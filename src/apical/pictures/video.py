"""Videos that browsers play: frames in colour come in; one small file goes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from apical.errors import MachineError
from apical.whole import whole_file

__all__ = ["write_video"]

WAYS = (
    ("libx264", "mp4", {"crf": "21", "preset": "veryfast", "movflags": "+faststart"}),
    ("libvpx-vp9", "webm", {"crf": "28", "b": "0", "deadline": "realtime"}),
)
"""Encoders from best to worst, with their containers and options."""


def write_video(path: Path, frames: npt.NDArray[np.uint8], fps_hz: int) -> Path:
    """Write frames (T, H, W, 3), H and W even, with the best encoder there is; the path with its ending."""
    import av
    from av.video.stream import VideoStream

    assert not any(size % 2 for size in frames.shape[1:3]), "chroma has half the size"
    codec, ending, options = _way()
    path = path.with_suffix(f".{ending}")
    with whole_file(path) as part, av.open(str(part), "w", format=ending) as container:
        stream = container.add_stream(codec, rate=fps_hz, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def _way() -> tuple[str, str, dict[str, str]]:
    from av.codec import codecs_available

    found = next((way for way in WAYS if way[0] in codecs_available), None)
    if found is None:
        raise MachineError(
            "This FFmpeg can't write videos that browsers play",
            seen="neither H.264 nor VP9",
            remedy="Install PyAV from its wheel: pip install --force-reinstall av",
        )
    return found
