"""Maps on frames: grey pixels and shares from 0 to 1 come in; pixels in colour, hot where shares are high, go out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["heated"]

MOST = 0.62
"""How much of the grey is covered where the share is 1."""
FAINT = 0.12
"""Shares below it leave the grey as it is."""


def heated(pixels: npt.NDArray[np.uint8], shares: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """(..., H, W, 3), of pixels and shares (..., H, W); from violet over red to orange."""
    from matplotlib import colormaps

    colours = colormaps["plasma"](0.2 + 0.62 * shares)[..., :3]
    cover = MOST * np.clip((shares - FAINT) / (1 - FAINT), 0, 1)[..., None] ** 0.8
    grey = pixels[..., None] / 255.0
    return np.asarray(((1 - cover) * grey + cover * colours).clip(0, 1) * 255).round().astype(np.uint8)
