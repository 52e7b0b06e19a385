"""What labelled images say of parcels: maps of parcels and masks come in, image by image; counts go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from skimage.measure import label

from apical.segments import Evidence

__all__ = ["Counts", "patches_of"]

Parcels = npt.NDArray[np.int64]
Masks = npt.NDArray[np.bool_]
LEAST_SHARE, LEAST_PIXELS = 0.02, 10
"""In the released code, how much of a structure, and how many pixels, a patch must hold to count."""


def patches_of(parcels: Parcels) -> Parcels:
    """A number, from 1, for each patch of pixels (H, W) that have one parcel and hang together."""
    patches: Parcels = label(parcels + 1, connectivity=1)  # type: ignore[no-untyped-call]
    return patches


@dataclass
class Counts:
    """Counts over images; S structures, K parcels."""

    structures: Sequence[str]
    num_parcels: int
    overlap: float
    """The share of its own area that a parcel must have in a structure."""
    counts_patches: bool = False
    """Count each connected patch by itself, as the released code does, and any overlap that is not tiny."""
    images: int = 0
    present: npt.NDArray[np.int64] = field(init=False)
    """(K,): images that show the parcel."""
    holds: npt.NDArray[np.int64] = field(init=False)
    """(S, K): images in which enough of it lies in the structure."""
    shares: npt.NDArray[np.float64] = field(init=False)
    """(S, K): the sum over images of the share of it that does."""

    def __post_init__(self) -> None:
        shape = len(self.structures), self.num_parcels
        self.present = np.zeros(self.num_parcels, np.int64)
        self.holds, self.shares = np.zeros(shape, np.int64), np.zeros(shape)

    def add(self, parcels: Parcels, masks: Masks) -> None:
        """Look at one image: its map of parcels (H, W), and masks (S, H, W)."""
        areas = np.bincount(parcels.ravel(), minlength=self.num_parcels)
        self.images += 1
        self.present += areas > 0
        for place, mask in enumerate(masks):
            inside = np.bincount(parcels[mask], minlength=self.num_parcels)
            share = inside / np.maximum(areas, 1)
            self.shares[place] += share
            if self.counts_patches:
                self.holds[place] += self._has_patch(parcels, mask)
            else:
                self.holds[place] += (areas > 0) & (share >= self.overlap)

    def _has_patch(self, parcels: Parcels, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(K,): whether any patch of the parcel is not all but outside the structure."""
        patches = patches_of(parcels)
        inside = np.bincount(patches[mask], minlength=int(patches.max()) + 1)
        least = max(LEAST_PIXELS, LEAST_SHARE * int(mask.sum()))
        owner = np.zeros(len(inside), np.int64)
        owner[patches.ravel()] = parcels.ravel()
        return np.bincount(owner[inside >= least], minlength=self.num_parcels) > 0

    def members(self, place: int, holds: float, presence: float) -> tuple[int, ...]:
        """The parcels that hold in so large a share of the images that show them, and are seen in so many of all."""
        often = self.present >= presence * max(self.images, 1)
        steady = self.holds[place] >= holds * np.maximum(self.present, 1)
        return tuple(np.flatnonzero(often & steady & (self.present > 0)).tolist())

    def members_as_released(self, place: int, holds: float, presence: float) -> tuple[int, ...]:
        """The same, but a parcel must hold so often in all images, not only be seen."""
        often = self.holds[place] >= presence * max(self.images, 1)
        return tuple(
            np.flatnonzero(often & np.isin(range(self.num_parcels), self.members(place, holds, 0.0))).tolist()
        )

    def owners(self) -> npt.NDArray[np.int64]:
        """(K,): the structure in which most of a parcel lies, on average; -1 for the background, and if never seen."""
        overlaps = self.shares / np.maximum(self.present, 1)
        background = np.where(self.present > 0, 1 - overlaps.sum(axis=0), 1.0)
        owners: npt.NDArray[np.int64] = np.concatenate([background[None], overlaps]).argmax(axis=0) - 1
        return owners

    def evidence(self, place: int) -> dict[int, Evidence]:
        """Of the parcels that have anything in the structure, those that have most first."""
        shown = np.maximum(self.present, 1)
        overlap, holds = self.shares[place] / shown, self.holds[place] / shown
        order = np.argsort(-overlap, kind="stable")
        return {
            int(parcel): Evidence(
                float(overlap[parcel]),
                float(holds[parcel]),
                float(self.present[parcel] / max(self.images, 1)),
            )
            for parcel in order
            if overlap[parcel] > 0
        }
