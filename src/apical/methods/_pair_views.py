"""Two views of a heart that share what matters: their settings for frames of some size, and the two of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from apical.batch import Batch
from apical.errors import ApicalError

__all__ = ["pair_of", "pair_views"]

SIGMA_PER_PIXEL = 2 / 224
"""The widest blur of SimCLR, for its images of 224 pixels."""


def pair_views(size: int) -> Mapping[str, Any]:
    """Settings of `pair`, for ultrasound of about `size` pixels."""
    crop = {
        # A quarter of the frame still holds most of a chamber. At the 8 % that photographs are cut to, a view is often
        # but a patch of cavity or of speckle, which says nothing of the heart.
        "scale": [0.25, 1.0],
        # Some laboratories show the apical views mirrored.
        "flip_probability": 0.5,
        # About as far as a sonographer tilts the probe. Turning costs more than the rest of a crop, so half are turned.
        "rotation_degrees": 15.0,
        "rotation_probability": 0.5,
        # Corners outside the sector are black in all images: two such views would be alike without a heart.
        "sector_aware": 0.5,
    }
    augmentations = {
        # The sliders for gain by depth stand differently at each examination.
        "depth_gain": {"strength": 0.4, "probability": 0.5},
        # Gain and compression, which are set for each patient. At SimCLR's 0.8 cavity and wall go black together.
        "contrast": {"brightness": 0.4, "contrast": 0.4, "probability": 0.8},
        # Focus and depth change how fine speckle is; else speckle, which no two frames share, could tell images apart.
        "blur": {"sigma": [0.1, max(SIGMA_PER_PIXEL * size, 0.2)], "probability": 0.5},
    }
    return {"pair": {"count": 2, "size": None, "crop": crop, "augmentations": augmentations}}


def pair_of(batch: Batch) -> tuple[Tensor, Tensor]:
    """The two views of `pair`, each (B, 1, H, W) or (B, 1, T, H, W); another number of views is an error."""
    views = batch.views["pair"]
    if len(views) != 2:
        raise ApicalError(
            "This method compares two views",
            seen=f"{len(views)} in the group 'pair'",
            remedy="Set views.pair.count=2.",
        )
    return views[0], views[1]
