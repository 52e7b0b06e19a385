"""Encoders of the public sets' file formats: frames come in, files of the same bytes on every run go out."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from apical.whole import whole_file

__all__ = ["write_avi", "write_mhd", "write_nifti", "write_png"]

Pixels = npt.NDArray[np.uint8]

FINEST = "2"
"""The quantiser of best quality that MJPEG has."""


def write_avi(path: Path, frames: Pixels, fps_hz: float) -> None:
    """Write frames, grey (T, H, W) or colour (T, H, W, 3), as Motion JPEG in AVI."""
    import av

    pixel_format = "rgb24" if frames.ndim == 4 else "gray"
    rate = Fraction(fps_hz).limit_denominator(1001)
    with (
        whole_file(path) as part,
        av.open(str(part), "w", format="avi", options={"fflags": "+bitexact"}) as container,
    ):
        stream = container.add_stream("mjpeg", rate=rate, options={"qmin": FINEST, "qmax": FINEST})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuvj420p"
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=pixel_format)))
        container.mux(stream.encode())


def write_png(path: Path, frame: Pixels) -> None:
    """Write one grey frame (H, W)."""
    from PIL import Image

    with whole_file(path) as part:
        Image.fromarray(frame).save(part, format="PNG")


def write_nifti(path: Path, frames: Pixels, spacing_mm: tuple[float, float]) -> None:
    """Write a frame (H, W) or frames (T, H, W) as gzipped NIfTI, which counts columns first: (W, H[, T])."""
    import nibabel

    spacing_y, spacing_x = spacing_mm
    make_image: Callable[..., Any] = nibabel.Nifti1Image  # it has no types
    image = make_image(frames.T, np.diag([spacing_x, spacing_y, 1.0, 1.0]))
    with whole_file(path) as part:
        part.write_bytes(gzip.compress(image.to_bytes(), compresslevel=4, mtime=0))


def write_mhd(path: Path, frames: Pixels, spacing_mm: tuple[float, float]) -> None:
    """Write a frame (H, W) or a sequence (T, H, W) as a MetaImage header with its raw file beside it."""
    raw = path.with_suffix(".raw")
    sizes = " ".join(str(size) for size in reversed(frames.shape))
    spacing = " ".join(f"{value:g}" for value in (*reversed(spacing_mm), 1.0)[: frames.ndim])
    header = {
        "ObjectType": "Image",
        "NDims": frames.ndim,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "CompressedData": False,
        "ElementSpacing": spacing,
        "DimSize": sizes,
        "ElementType": "MET_UCHAR",
        "ElementDataFile": raw.name,
    }
    with whole_file(raw) as part:
        part.write_bytes(frames.tobytes())
    with whole_file(path) as part:
        part.write_text("".join(f"{key} = {value}\n" for key, value in header.items()), encoding="ascii")
