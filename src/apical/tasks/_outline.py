"""From parcels to a cavity (Majchrowska 2023): a map of parcels and those inside come in, one mask goes out.

A cavity is one piece, has no holes and a smooth outline; that is all that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from apical.config import Config
from apical.tasks._parcel_evidence import patches_of
from apical.tasks._snake import SnakeConfig, smoothed

__all__ = ["OutlineConfig", "closed", "outlined", "richest_piece", "with_enclaves"]

Mask = npt.NDArray[np.bool_]
Parcels = npt.NDArray[np.int64]
ALL_AROUND = np.ones((3, 3), dtype=int)
"""Pixels that touch at a corner belong together."""


class OutlineConfig(Config):
    """How parcels become a mask, by default as in the paper; radii are shares of the image's shorter side."""

    enclaves: int = Field(default=8, ge=0)
    """A gap is filled that is made of fewer parcels than this; 0 fills none."""
    closing: float = Field(default=10 / 112, ge=0)
    """Radius within which bays and gaps are closed."""
    snake: SnakeConfig | None = SnakeConfig()
    """How the outline is made smooth; null leaves it."""
    median: float = Field(default=0.0, ge=0)
    """Radius of a median filter at the end; the released code has 3 of 112 pixels."""


def outlined(parcels: Parcels, inside: Collection[int], config: OutlineConfig) -> Mask:
    """The mask (H, W) of a cavity that is made of the parcels `inside`; empty where the map (H, W) shows none."""
    mask = richest_piece(parcels, inside)
    if not mask.any():
        return mask
    side = min(mask.shape)
    if config.enclaves:
        mask = with_enclaves(mask, parcels, config.enclaves)
    mask = closed(mask, config.closing * side)
    if config.snake is not None:
        mask = smoothed(mask, config.snake)
    return _median(mask, config.median * side) if config.median else mask


def richest_piece(parcels: Parcels, inside: Collection[int]) -> Mask:
    """Of the pieces that the inner parcels make together, the one with most different parcels; then the largest."""
    pieces, count = ndimage.label(np.isin(parcels, list(inside)), ALL_AROUND)
    if count <= 1:
        return np.asarray(pieces > 0)
    width = int(parcels.max()) + 1
    areas = np.bincount((pieces * width + parcels).ravel(), minlength=(count + 1) * width)
    areas = areas.reshape(count + 1, width)
    kinds, sizes = (areas > 0).sum(axis=1), areas.sum(axis=1)
    best = 1 + np.lexsort((sizes[1:], kinds[1:]))[-1]
    return np.asarray(pieces == best)


def with_enclaves(mask: Mask, parcels: Parcels, most: int) -> Mask:
    """The mask and those gaps in it that fewer than `most` patches of parcels make."""
    gaps, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    if count == 0:
        return mask
    patches = patches_of(parcels)
    pairs = np.unique(np.stack([gaps[gaps > 0], patches[gaps > 0]]), axis=1)
    filled = np.flatnonzero(np.bincount(pairs[0], minlength=count + 1) < most)
    return np.asarray(mask | (np.isin(gaps, filled) & (gaps > 0)))


def closed(mask: Mask, radius: float) -> Mask:
    """What no disc of this radius that keeps off the mask can reach; beyond the image there is room."""
    if radius <= 0 or not mask.any():
        return mask
    margin = int(np.ceil(radius)) + 1
    wide = ndimage.distance_transform_edt(~np.pad(mask, margin)) <= radius
    shrunk: Mask = ndimage.distance_transform_edt(wide) > radius
    return shrunk[margin:-margin, margin:-margin]


def _median(mask: Mask, radius: float) -> Mask:
    reach = np.arange(-int(radius), int(radius) + 1)
    disc = (reach[:, None] ** 2 + reach[None] ** 2 <= radius**2).astype(np.float32)
    shares = ndimage.convolve(mask.astype(np.float32), disc, mode="nearest")
    return np.asarray(shares > disc.sum() / 2)
