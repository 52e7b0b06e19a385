"""The ultrasound sector: grey frames come in, maybe a screen shot with text; a mask of the fan goes out.

Tissue flickers, in its dark parts too; text doesn't, and a running ECG trace is bright but rarely lit. In a
still, tissue is lit and grainy all over, where text has gaps and panels are flat. The largest such blob is
taken once thin marks are removed, and a fan is laid around it, so that dark cavities and a dark far field
belong to it as well; where no fan fits, its convex outline is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from apical.pixels._fan import Outline, fit_fan, outline_of
from apical.readers.base import Box, Frames

__all__ = ["Sector", "blank_outside", "find_sector"]

Mask = npt.NDArray[np.bool_]

WORKING_SIZE = 128
"""Side in pixels at which a sector is looked for."""
SAMPLED_FRAMES = 16
LIT = 8
"""Grey levels above the background from which a pixel counts as lit."""
DIM = 2
"""Grey levels above the background that show dark tissue in a still."""
SURE, LIKELY = 0.5, 0.3
"""Share of a fan's side that must be seen: in bright tissue, or in all tissue, whose rim is ragged."""
SMEAR = 8
"""Pixels of the source that compression smears an edge over: a JPEG block."""
MOST_BEYOND = 0.02
"""Share of tissue farther outside a fan than that; more refutes it."""
FLICKER = 3
"""Grey levels between the darkest and the brightest moment of a pixel that shows tissue."""
DARK_FLICKER = 48
"""Most flicker of dark tissue; what is mostly dark and flickers more is a moving mark."""
DENSE = 0.6
"""Share of a block of pixels that must show tissue: the ink of a text covers less."""
LEAST_SHARE = 0.03
"""Share of the frame that the smallest sector covers."""
CORNER_SHARE = 0.06
FULL_CORNER = 0.5
"""A frame whose four corners are all filled by this share or more has no black surround."""


Shape = Literal["fan", "outline", "whole frame"]
"""A fan cuts off what stands beside tissue; in a convex outline or a whole frame some text may be left."""


@dataclass(frozen=True, slots=True, eq=False)
class Sector:
    """The part of all frames that holds tissue."""

    mask: Mask
    """(H, W)"""
    box: Box
    confidence: float
    """Share of the mask in which tissue was seen; the rest was inferred from the fan's shape."""
    shape: Shape


def find_sector(frames: Frames, region: Box | None) -> Sector | None:
    """Find the sector in frames (T, H, W); `region` says where to look first. A blank clip has none."""
    if region is not None:
        found = _find(frames[:, region.top : region.bottom, region.left : region.right])
        if found is not None:
            return _placed(found, region, frames.shape[1:])
    return _find(frames)


def blank_outside(frames: Frames, sector: Sector) -> float:
    """Make everything outside the sector black, in place; return its share of all that was not black."""
    if sector.mask.all():
        return 0.0
    lit = np.count_nonzero(_sampled(frames), axis=0)
    # bytes by bytes: three times as fast as bytes by booleans
    np.multiply(frames, sector.mask.view(np.uint8), out=frames)
    return float(lit[~sector.mask].sum() / max(1, lit.sum()))


def _find(frames: Frames) -> Sector | None:
    height, width = frames.shape[1:]
    if not frames.size or max(height, width) > WORKING_SIZE * min(height, width):
        return None  # slimmer than a pixel of the working size
    tissue, lit, factor = _shrunk(*_tissue_and_lit(_sampled(frames)))
    if _fills_corners(tissue & lit):
        return _sector(np.ones((height, width), np.bool_), 1.0, "whole frame")
    bright, whole = _main_blob(tissue & lit, lit), _main_blob(tissue, lit)
    if whole.mean() < LEAST_SHARE:
        return None
    outline = fit_fan(bright, SURE)
    if outline is None or not _reaches(outline, whole, factor):
        outline = fit_fan(whole, LIKELY)
    shape: Shape = "fan" if outline else "outline"
    outline = outline or outline_of(whole)
    seen = outline.mask(whole.shape, 1)
    confidence = float((whole & seen).sum() / max(1, seen.sum()))
    return _sector(outline.mask((height, width), factor), confidence, shape)


def _reaches(outline: Outline, whole: Mask, factor: int) -> bool:
    """Whether no tissue lies farther outside than compression smears it: shadows have straight edges too."""
    within = ndimage.binary_dilation(outline.mask(whole.shape, 1), iterations=SMEAR // factor + 1)
    return bool((whole & ~within).sum() <= MOST_BEYOND * whole.sum())


def _sector(mask: Mask, confidence: float, shape: Shape) -> Sector:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    return Sector(mask, box, confidence, shape)


def _placed(sector: Sector, region: Box, shape: tuple[int, ...]) -> Sector:
    """The sector of a region as one of the whole frame."""
    mask = np.zeros(shape, np.bool_)
    mask[region.top : region.bottom, region.left : region.right] = sector.mask
    return _sector(mask, sector.confidence, sector.shape)


def _sampled(frames: Frames) -> Frames:
    """A few frames spread over the clip."""
    return frames[np.linspace(0, len(frames) - 1, min(len(frames), SAMPLED_FRAMES)).astype(np.intp)]


def _tissue_and_lit(frames: Frames) -> tuple[Mask, Mask]:
    """Which pixels show tissue, and which are lit at least half of the time."""
    background = _background(frames[0])
    above = frames > background + LIT
    lit = np.asarray(above.sum(axis=0, dtype=np.uint8) * 2 >= len(frames))
    flicker = frames.max(axis=0) - frames.min(axis=0)
    moving = (flicker >= FLICKER) & (lit | (flicker <= DARK_FLICKER))
    if (moving & lit).mean() >= LEAST_SHARE:
        return moving, lit
    return (frames[0] > background + DIM) & _is_grainy(frames[0]), lit


def _is_grainy(frame: npt.NDArray[np.uint8]) -> Mask:
    """Where a pixel differs from its neighbour to the right or below."""
    grainy = np.zeros(frame.shape, np.bool_)
    grainy[:, :-1] = frame[:, 1:] != frame[:, :-1]
    grainy[:-1] |= frame[1:] != frame[:-1]
    return grainy


def _shrunk(tissue: Mask, lit: Mask) -> tuple[Mask, Mask, int]:
    """Both masks at the working size or below, and how many pixels became one."""
    factor = -(-max(tissue.shape) // WORKING_SIZE)
    return _dense(tissue, factor), _dense(lit, factor), factor


def _dense(mask: Mask, factor: int) -> Mask:
    if factor == 1:
        return mask
    height, width = mask.shape[0] // factor, mask.shape[1] // factor
    blocks = mask[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return np.asarray(blocks.mean(axis=(1, 3)) >= DENSE)


def _background(frame: npt.NDArray[np.uint8]) -> int:
    """Grey level of an even surround; 0 where the border isn't even."""
    border = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
    low, middle, high = np.percentile(border, (25, 50, 75))
    return int(middle) if high - low <= LIT / 2 and middle < 255 - 2 * LIT else 0


def _fills_corners(tissue: Mask) -> bool:
    height, width = (max(2, round(CORNER_SHARE * side)) for side in tissue.shape)
    corners = (tissue[rows, columns] for rows in _ends(height) for columns in _ends(width))
    return all(corner.mean() >= FULL_CORNER for corner in corners)


def _ends(length: int) -> tuple[slice, slice]:
    return slice(None, length), slice(-length, None)


def _main_blob(tissue: Mask, lit: Mask) -> Mask:
    """The connected part that holds most lit tissue once thin marks are gone."""
    parts, count = ndimage.label(_opened(tissue))
    if not count:
        return np.zeros_like(tissue)
    sizes = np.bincount(parts[lit], minlength=count + 1)
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())


def _opened(mask: Mask) -> Mask:
    """The mask without what is thinner than three pixels; five times as fast as by scipy at this size."""
    eroded = np.pad(mask, 1)
    eroded = eroded[:-2] & eroded[1:-1] & eroded[2:]
    eroded = np.pad(eroded[:, :-2] & eroded[:, 1:-1] & eroded[:, 2:], 1)
    grown = eroded[:-2] | eroded[1:-1] | eroded[2:]
    return np.asarray(grown[:, :-2] | grown[:, 1:-1] | grown[:, 2:])
