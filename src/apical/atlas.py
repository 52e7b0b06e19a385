"""What parcels are: a dataset and frozen eyes come in; where each parcel lies, what it shows and overlaps go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from apical.dataset import Dataset
from apical.frames import FrameStore
from apical.precision import Precision, autocast
from apical.progress import progress
from apical.segments import BACKGROUND
from apical.sight import Sight
from apical.tasks._mask_answers import MaskAnswers

__all__ = ["Atlas", "ClipMap", "atlas_of", "clip_map"]

Floats = npt.NDArray[np.float64]
Parcels = npt.NDArray[np.int64]
AT_ONCE = 16


@dataclass
class Atlas:
    """Sums over images; K parcels, S structures and the background."""

    structures: tuple[str, ...]
    positions: Floats
    """(K, H, W): images in which the parcel covers the pixel."""
    pictures: Floats
    """(K, H, W): the sum of the images that show the parcel."""
    present: Floats
    """(K,): images that show it."""
    areas: Floats
    """(K,): pixels it covers in all."""
    overlaps: Floats
    """(1 + S, K): of those, pixels in the background and in each structure, over images with masks."""
    images: int = 0
    with_masks: int = 0

    @classmethod
    def empty(cls, structures: Sequence[str], num_parcels: int, size: tuple[int, int]) -> Atlas:
        """Before the first image."""
        maps, each = (num_parcels, *size), num_parcels
        overlaps = np.zeros((1 + len(structures), each))
        return cls(
            tuple(structures), np.zeros(maps), np.zeros(maps), np.zeros(each), np.zeros(each), overlaps
        )

    def add(self, image: Floats, parcels: Parcels, masks: npt.NDArray[np.bool_] | None) -> None:
        """Look at an image (H, W), its map of parcels and, if somebody drew them, masks (S, H, W)."""
        count = len(self.present)
        found = np.unique(parcels)
        for parcel in found:
            self.positions[parcel] += parcels == parcel
            self.pictures[parcel] += image
        self.present[found] += 1
        self.areas += np.bincount(parcels.ravel(), minlength=count)
        self.images += 1
        if masks is not None:
            self.with_masks += 1
            for place, mask in enumerate([~masks.any(axis=0), *masks]):
                self.overlaps[place] += np.bincount(parcels[mask], minlength=count)

    @property
    def order(self) -> list[int]:
        """Parcels that occur, structure by structure, those that lie in it most first; then by how often they occur."""
        shares = self.shares
        owner = shares.argmax(axis=0) if self.with_masks else np.zeros(len(self.present))
        rank = np.where(owner == 0, len(self.structures) + 1, owner)
        chosen = np.lexsort((-self.present, -shares.max(axis=0).round(2), rank))
        return [int(parcel) for parcel in chosen if self.present[parcel] > 0]

    @property
    def shares(self) -> Floats:
        """(1 + S, K): what share of a parcel lies where."""
        total = self.overlaps.sum(axis=0)
        shares: Floats = np.divide(self.overlaps, total, out=np.zeros_like(self.overlaps), where=total > 0)
        return shares

    @property
    def purity(self) -> float | None:
        """How much of all pixels a parcel's own majority covers; nothing is known without masks."""
        total = self.overlaps.sum()
        return float(self.overlaps.max(axis=0).sum() / total) if total else None

    def table(self) -> pl.DataFrame:
        """One row a parcel."""
        images, pixels = max(self.images, 1), max(self.areas.sum(), 1)
        rows: dict[str, Any] = {
            "parcel": np.arange(len(self.present)),
            "presence": self.present / images,
            "area": self.areas / pixels,
        }
        if self.with_masks:
            names = (BACKGROUND, *self.structures)
            rows |= dict(zip((f"in_{name}" for name in names), self.shares, strict=True))
        return pl.DataFrame(rows)


def atlas_of(
    sight: Sight,
    dataset: Dataset,
    clips: pl.DataFrame,
    images: pl.DataFrame,
    structures: Sequence[str],
    size: tuple[int, int],
    precision: Precision = "auto",
) -> Atlas:
    """Look at `images`, rows (row, clip, frame) of `clips`; `structures` are those whose traces are compared."""
    device = sight.backbone.input_mean.device
    store = FrameStore.open(dataset, clips, "disk", device)
    answers = MaskAnswers(dataset, images, structures) if structures else None
    atlas: Atlas | None = None
    with progress("Looking at parcels", len(images), "images") as bar:
        for start in range(0, len(images), AT_ONCE):
            part = images[start : start + AT_ONCE]
            pixels, scores = _seen(sight, store, part, size, precision)
            atlas = atlas or Atlas.empty(structures, scores.shape[1], size)
            places = torch.arange(start, start + len(part))
            masks = None if answers is None else (answers.at(places, None, size) > 0.5).numpy()
            maps = scores.argmax(dim=1).cpu().numpy()
            for place, parcels in enumerate(maps):
                atlas.add(
                    pixels[place, 0].cpu().double().numpy(), parcels, None if masks is None else masks[place]
                )
            bar.advance(len(part))
    assert atlas is not None, "there are images"
    return atlas


@torch.inference_mode()
def _seen(
    sight: Sight, store: FrameStore, part: pl.DataFrame, size: tuple[int, int], precision: Precision
) -> tuple[Tensor, Tensor]:
    rows, frames = (part[name].to_numpy().astype(np.int64) for name in ("row", "frame"))
    images = store.plain_images(rows, frames, size)
    with autocast(precision, images.device):
        scores: Tensor = sight(images)
    return images, scores.float()


@dataclass(frozen=True)
class ClipMap:
    """Parcels of the frames of one clip."""

    clip: str
    frames: tuple[int, ...]
    pixels: npt.NDArray[np.uint8]
    """(T, H, W)"""
    parcels: Parcels
    """(T, H, W)"""

    @property
    def stability(self) -> float:
        """The share of pixels that keep their parcel from one frame to the next."""
        if len(self.parcels) < 2:
            return 1.0
        return float((self.parcels[1:] == self.parcels[:-1]).mean())


def clip_map(
    sight: Sight,
    dataset: Dataset,
    about: Mapping[str, Any],
    count: int,
    size: tuple[int, int],
    precision: Precision = "auto",
) -> ClipMap:
    """The first `count` frames of a clip, `about` being its row."""
    frames = np.arange(min(count, int(about["num_frames"])))
    clips = dataset.usable_clips.filter(pl.col("clip") == about["clip"])
    store = FrameStore.open(dataset, clips, "disk", sight.backbone.input_mean.device)
    part = pl.DataFrame({"row": np.zeros_like(frames), "frame": frames})
    images, scores = _seen(sight, store, part, size, precision)
    pixels = (images[:, 0].cpu().numpy() * 255).round().astype(np.uint8)
    return ClipMap(str(about["clip"]), tuple(frames.tolist()), pixels, scores.argmax(dim=1).cpu().numpy())
