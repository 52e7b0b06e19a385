"""Any picture to grey: colours, 16-bit and floating values come in, 8-bit luma goes out, converted once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from apical.errors import ApicalError
from apical.readers._failures import REPLACE
from apical.readers.base import Frames

__all__ = ["luma", "squeeze", "widen_range"]

TOP_PERCENTILE = 99.95
"""Scaling by this rather than by the maximum keeps one hot pixel from darkening the clip."""
SAMPLE = 2**22
"""Values that are looked at to find the percentile."""


def luma(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """ITU-601 luma of one picture: (H, W, 3) to (H, W)."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))


def widen_range(limited: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Studio-range luma (16 black, 235 white) to 0-255."""
    return np.asarray(_WIDER[limited])


_WIDER = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


def squeeze(values: npt.NDArray[np.generic], name: str) -> tuple[Frames, tuple[str, ...]]:
    """Values of any real type (T, H, W) to 8 bit, and notes on it.

    Whole numbers within 0-255 are kept; anything else is scaled from min(0, lowest) to a high percentile.
    """
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255), ()
    if not (np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)):
        raise ApicalError("The pixels are not real numbers", where=name, remedy=REPLACE)
    if _fits(values):
        return values.astype(np.uint8), ()
    sample = values.reshape(-1)[:: 1 + values.size // SAMPLE].astype(np.float64)
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        raise ApicalError("No pixel is a finite number", where=name, remedy=REPLACE)
    low, high = min(0.0, float(finite.min())), float(np.percentile(finite, TOP_PERCENTILE))
    return _scale(values, low, high), ("pixel values were scaled to 0-255",)


def _fits(values: npt.NDArray[np.generic]) -> bool:
    """Whether every value is a whole number in 0-255; frame by frame, to hold little memory."""
    if values.dtype == np.uint8:
        return True
    with np.errstate(invalid="ignore"):
        return all(np.array_equal(frame, frame.astype(np.uint8)) for frame in values)


def _scale(values: npt.NDArray[np.generic], low: float, high: float) -> Frames:
    scaled = np.empty(values.shape, np.uint8)
    factor = 255.0 / (high - low) if high > low else 0.0
    for index, frame in enumerate(values):
        levels = (np.nan_to_num(frame.astype(np.float64), nan=low, posinf=high, neginf=low) - low) * factor
        scaled[index] = np.clip(np.rint(levels), 0, 255)
    return scaled
