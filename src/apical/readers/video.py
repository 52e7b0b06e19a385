"""Video files: AVI, MP4, MOV, MKV, WEBM or GIF comes in, grey frames go out.

Most codecs store luma as a plane of its own. That plane is taken as it is, so no pixel is ever converted to
colour and back. One thread decodes a clip, since clips are decoded side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import simplejpeg
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from apical.errors import ApicalError
from apical.readers._containers import is_cut_short
from apical.readers._failures import REPLACE, decoding
from apical.readers._grey import luma, widen_range
from apical.readers._plausible import plausible_fps
from apical.readers._stack import FrameStack, refuse_oversize
from apical.readers.base import Reader, Recording

__all__ = ["VideoReader"]

FULL_RANGE_FORMATS = ("gray", "yuvj")
LUMA_FIRST_FORMATS = frozenset(
    {
        *("gray", "nv12", "nv21", "yuva420p", "yuva422p", "yuva444p"),
        *("yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p"),
        *("yuvj411p", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p"),
    }
)
"""Pixel formats whose first plane is 8-bit luma."""
LIMITS = {"max_pixels": str(64 * 2**20)}
"""Largest frame that FFmpeg makes room for, while it probes the file and while it decodes it."""


class VideoReader(Reader):
    """Whatever FFmpeg decodes, by its first video stream."""

    suffixes = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".gif")

    def read(self, path: Path) -> Recording:
        """Decode all frames; a file that was cut short is refused."""
        with _opened(path) as (container, stream):
            claimed = (
                0 if container.format.name == "gif" else stream.frames
            )  # a GIF has no count: FFmpeg counts
            stated = claimed or None
            stack = FrameStack(path.name, stated)
            breaks = _decode(container, stream, stack)
            fps_hz = plausible_fps(_float(stream.average_rate) or _float(stream.base_rate))
        if breaks or stated is None or stated > stack.count:
            _refuse_if_cut(path, stack.count, stated, breaks)
        return Recording(
            frames=stack.frames(), fps_hz=fps_hz, stated_frames=stated, notes=_notes(stack.count, stated)
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the container and its first video stream, set up for one thread."""
    with (
        decoding(path, "The file is no video that can be decoded", av.FFmpegError),
        av.open(str(path), options=LIMITS) as container,
    ):
        if not container.streams.video:
            raise ApicalError("The file has no pictures in it", where=path.name, remedy=REPLACE)
        stream = container.streams.video[0]
        refuse_oversize(path.name, stream.height, stream.width)
        stream.codec_context.options = LIMITS
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        yield container, stream


def _decode(container: InputContainer, stream: VideoStream, stack: FrameStack) -> bool:
    """Put all whole frames on the stack; return whether the stream breaks off."""
    is_jpeg = stream.codec_context.name == "mjpeg"
    try:
        for packet in container.demux(stream):
            if packet.size == 0 and packet.dts is not None:  # a frame that was dropped when recording
                continue
            if packet.is_corrupt:
                return True
            if is_jpeg and packet.size and _take_jpeg(bytes(packet), stream, stack):
                continue
            for frame in packet.decode():
                stack.append(_grey(frame))
    except (av.FFmpegError, ValueError):
        return True
    return False


def _take_jpeg(data: bytes, stream: VideoStream, stack: FrameStack) -> bool:
    """Put the luma of a motion-JPEG packet on the stack, in two thirds of FFmpeg's time; not if it is unusual.

    It is decoded to where it stays, which also bounds its size.
    """
    place = stack.next_place(stream.height, stream.width)[..., None]
    try:
        decoded = simplejpeg.decode_jpeg(data, colorspace="GRAY", buffer=place)
    except ValueError:
        return False
    if decoded.shape != place.shape:
        return False
    stack.count += 1
    return True


def _grey(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    """One frame's luma (H, W), 0-255; a view of the decoder's own memory where that is possible."""
    name = frame.format.name
    if name not in LUMA_FIRST_FORMATS:
        return luma(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    plane = frame.planes[0]
    pixels = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * frame.height]
    pixels = pixels.reshape(frame.height, plane.line_size)[:, : frame.width]
    is_full = name.startswith(FULL_RANGE_FORMATS) or frame.color_range == ColorRange.JPEG
    return pixels if is_full else widen_range(pixels)


def _refuse_if_cut(path: Path, decoded: int, stated: int | None, breaks: bool) -> None:
    """Tell a file that was cut short from one whose header is merely wrong."""
    if not (breaks or decoded == 0 or is_cut_short(path)):
        return
    of = f" of {stated}" if stated and stated > decoded else ""
    raise ApicalError(f"The video stops after {decoded}{of} frames", where=path.name, remedy=REPLACE)


def _notes(decoded: int, stated: int | None) -> tuple[str, ...]:
    if stated is None or stated == decoded:
        return ()
    return (f"the header claims {stated} frames, the file holds {decoded}",)


def _float(rate: Fraction | None) -> float | None:
    return float(rate) if rate else None
