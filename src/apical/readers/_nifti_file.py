"""NIfTI files: arrays (W, H[, T]) come in, frames (T, H, W) go out, so that a CAMUS apex is up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, HeaderTypeError, ImageDataError
from nibabel.wrapstruct import WrapStructError

from apical.errors import ApicalError
from apical.readers._failures import REPLACE, decoding
from apical.readers._grey import squeeze
from apical.readers._plausible import plausible_fps, plausible_spacing
from apical.readers._stack import refuse_oversize
from apical.readers.base import Frames, Recording

__all__ = ["read_nifti", "read_nifti_labels"]

MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
SECONDS_PER_UNIT = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
NIBABEL_FAILURES = (HeaderDataError, HeaderTypeError, ImageDataError, ImageFileError, WrapStructError)
"""What nibabel raises beside Python's own exceptions."""
BROKEN = "The file is no NIfTI image that can be decoded"
DEFAULT_ZOOM = 1.0
"""What writers put where they know no pixel size."""


def read_nifti(path: Path) -> Recording:
    """Decode to 8-bit; whole numbers within 0-255 are kept."""
    with decoding(path, BROKEN, *NIBABEL_FAILURES):
        image = _opened(path)
        frames, notes = squeeze(_upright(image, path), path.name)
        fps_hz, spacing_mm = _fps(image), _spacing(image)
    return Recording(frames=frames, fps_hz=fps_hz, spacing_mm=spacing_mm, notes=notes)


def read_nifti_labels(path: Path) -> Frames:
    """Decode a label image: whole numbers in 0-255."""
    with decoding(path, BROKEN, *NIBABEL_FAILURES):
        values = _upright(_opened(path), path)
        labels = values.astype(np.uint8)
        exact = bool(np.array_equal(labels, values))
    if not exact:
        raise ApicalError("A label is no whole number in 0-255", where=path.name, remedy=REPLACE)
    return labels


def _opened(path: Path) -> Any:
    """The image, its claimed size checked before any pixel is decoded."""
    image: Any = nibabel.Nifti1Image.from_filename(str(path))
    refuse_oversize(path.name, *image.shape, bytes_per_pixel=image.get_data_dtype().itemsize)
    return image


def _upright(image: Any, path: Path) -> npt.NDArray[np.generic]:
    """The pixels as (T, H, W)."""
    proxy = image.dataobj
    is_scaled = (proxy.slope, proxy.inter) != (1.0, 0.0)
    values = np.asarray(proxy.get_scaled(np.float32) if is_scaled else proxy.get_unscaled())
    if values.ndim > 3:
        values = values.reshape(*values.shape[:2], -1) if 1 in values.shape[2:] else values
    if values.ndim not in (2, 3):
        raise ApicalError(
            f"The image has {values.ndim} dimensions", where=path.name, remedy="Give (width, height[, time])"
        )
    return values.T[None] if values.ndim == 2 else values.transpose(2, 1, 0)


def _spacing(image: Any) -> tuple[float, float] | None:
    x, y = (float(zoom) for zoom in image.header.get_zooms()[:2])
    if x == y == DEFAULT_ZOOM:
        return None
    unit = MM_PER_UNIT[image.header.get_xyzt_units()[0]]
    return plausible_spacing(y * unit, x * unit)


def _fps(image: Any) -> float | None:
    """The frame rate, where a fourth dimension says its step and unit."""
    zooms = image.header.get_zooms()
    unit = SECONDS_PER_UNIT.get(image.header.get_xyzt_units()[1])
    if len(zooms) < 4 or unit is None or not zooms[3] > 0:
        return None
    return plausible_fps(1.0 / (float(zooms[3]) * unit))
