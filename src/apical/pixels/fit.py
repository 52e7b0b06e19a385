"""From source pixels to stored pixels and back: a box and a size come in; fitted frames and masks go out.

Pixels are squares whose centres have whole coordinates: pixel 0 reaches from -0.5 to 0.5. So a point at `x`
in a row of `n` pixels that becomes `m` pixels goes to `(x + 0.5) * m / n - 0.5`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from apical.errors import ApicalError
from apical.readers.base import Box, Frames

__all__ = ["Fit", "fit_of", "make_fit"]

Label = TypeVar("Label", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How source frames become stored frames: `box` is cut out and fills `inner`; the rest is black."""

    source_height: int
    source_width: int
    box: Box
    stored_height: int
    stored_width: int
    inner: Box

    @property
    def is_identity(self) -> bool:
        """Whether stored pixels are the source's pixels."""
        source = Box(0, 0, self.source_height, self.source_width)
        stored = Box(0, 0, self.stored_height, self.stored_width)
        return self.box == source == stored == self.inner

    def frames(self, frames: Frames) -> Frames:
        """Fit frames (T, H, W): area averages where they shrink, bilinear where they grow.

        The same size costs nothing: the frames themselves are returned.
        """
        box, inner = self.box, self.inner
        cropped = frames[:, box.top : box.bottom, box.left : box.right]
        resized = _resized(cropped, inner.bottom - inner.top, inner.right - inner.left)
        if resized.shape[1:] == (self.stored_height, self.stored_width):
            return resized
        padded = np.zeros((len(frames), self.stored_height, self.stored_width), np.uint8)
        padded[:, inner.top : inner.bottom, inner.left : inner.right] = resized
        return padded

    def labels(self, mask: npt.NDArray[Label]) -> npt.NDArray[Label]:
        """Fit a mask (..., H, W): each stored pixel takes the label at its centre."""
        return _moved(mask, self.box, self.inner, (self.stored_height, self.stored_width))

    def to_source(self, mask: npt.NDArray[Label]) -> npt.NDArray[Label]:
        """Put a stored mask (..., H, W) back at the source's own size; what was cut off is 0."""
        return _moved(mask, self.inner, self.box, (self.source_height, self.source_width))

    def points(self, xy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Source coordinates (..., 2) as (x, y) to stored coordinates."""
        scale_y, scale_x = self._scale()
        corner = np.array([self.box.left, self.box.top]) - 0.5
        stored_corner = np.array([self.inner.left, self.inner.top]) - 0.5
        return np.asarray((xy - corner) * np.array([scale_x, scale_y]) + stored_corner, np.float64)

    def spacing(self, mm_y: float, mm_x: float) -> tuple[float, float]:
        """Pixel size (y, x) of stored frames from that of source frames."""
        scale_y, scale_x = self._scale()
        return mm_y / scale_y, mm_x / scale_x

    def _scale(self) -> tuple[float, float]:
        """Stored pixels a source pixel (y, x)."""
        box, inner = self.box, self.inner
        scale_y = (inner.bottom - inner.top) / (box.bottom - box.top)
        return scale_y, (inner.right - inner.left) / (box.right - box.left)


def make_fit(
    height: int, width: int, box: Box, stored_height: int, stored_width: int, mode: Literal["stretch", "pad"]
) -> Fit:
    """Plan how `box` of frames of `height` × `width` fills the stored size, or keeps its shape within it."""
    box = Box(max(0, box.top), max(0, box.left), min(height, box.bottom), min(width, box.right))
    box_height, box_width = box.bottom - box.top, box.right - box.left
    if min(box_height, box_width, stored_height, stored_width) < 1:
        raise ApicalError(
            "There is nothing to fit", seen="an empty box or size", remedy="Give a size above 0"
        )
    inner_height, inner_width = stored_height, stored_width
    if mode == "pad":
        scale = min(stored_height / box_height, stored_width / box_width)
        inner_height, inner_width = max(1, round(box_height * scale)), max(1, round(box_width * scale))
    top, left = (stored_height - inner_height) // 2, (stored_width - inner_width) // 2
    return Fit(
        source_height=height,
        source_width=width,
        box=box,
        stored_height=stored_height,
        stored_width=stored_width,
        inner=Box(top, left, top + inner_height, left + inner_width),
    )


def fit_of(row: Mapping[str, Any], mode: Literal["stretch", "pad"]) -> Fit:
    """The fit by which a clip, given as its row of `clips`, was stored; `mode` stands in the dataset's card."""
    box = Box(row["crop_top"], row["crop_left"], row["crop_bottom"], row["crop_right"])
    return make_fit(row["source_height"], row["source_width"], box, row["height"], row["width"], mode)


def _resized(frames: Frames, height: int, width: int) -> Frames:
    """Resize (T, H, W) as two matrix products a frame; a side that keeps its length needs none."""
    if frames.shape[1:] == (height, width):
        return frames
    rows, columns = _weights(frames.shape[1], height), _weights(frames.shape[2], width)
    resized = np.empty((len(frames), height, width), np.uint8)
    for index, frame in enumerate(frames):
        values = frame.astype(np.float32)
        values = values if frame.shape[0] == height else rows @ values
        values = values if frame.shape[1] == width else values @ columns.T
        resized[index] = np.rint(values)
    return resized


@lru_cache(maxsize=64)
def _weights(source: int, stored: int) -> npt.NDArray[np.float32]:
    """What each of `stored` pixels takes from each of `source` pixels: (stored, source), rows sum to 1."""
    if stored <= source:
        edges = np.arange(stored + 1) * (source / stored)
        pixels = np.arange(source)
        overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        weights = np.clip(overlap, 0, None) * (stored / source)
    else:
        places = np.clip((np.arange(stored) + 0.5) * (source / stored) - 0.5, 0, source - 1)
        weights = np.clip(1 - np.abs(places[:, None] - np.arange(source)), 0, None)
    return np.asarray(weights, np.float32)


def _moved(mask: npt.NDArray[Label], taken: Box, filled: Box, shape: tuple[int, int]) -> npt.NDArray[Label]:
    """Fill the box `filled` of a new mask of `shape` with what `taken` holds, by nearest neighbour."""
    rows = _nearest(taken.top, taken.bottom, filled.bottom - filled.top)
    columns = _nearest(taken.left, taken.right, filled.right - filled.left)
    moved = np.zeros((*mask.shape[:-2], *shape), mask.dtype)
    moved[..., filled.top : filled.bottom, filled.left : filled.right] = mask[..., rows[:, None], columns]
    return moved


def _nearest(start: int, stop: int, count: int) -> npt.NDArray[np.intp]:
    """Which of the pixels `start` to `stop` lies under the centre of each of `count` pixels."""
    return start + ((np.arange(count) + 0.5) * ((stop - start) / count)).astype(np.intp)
