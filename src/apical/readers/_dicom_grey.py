"""DICOM colours to grey, once: a raw frame of any photometric kind comes in, 8-bit luma goes out.

Windows, rescaling and palettes act on single values, so they become one table of all values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from apical.errors import ApicalError
from apical.readers._dicom_tags import number
from apical.readers._grey import luma, widen_range

__all__ = ["Pixels", "Properties", "grey_of"]

Pixels = npt.NDArray[np.generic]
Properties = Mapping[str, str | int]
"""What the decoder says of a decoded frame."""
Greyer = Callable[[Pixels], npt.NDArray[np.uint8]]
MAX_TABLE_BITS = 16
IDENTITY_8_BIT = np.arange(256, dtype=np.uint8)


def grey_of(header: Dataset, properties: Properties, name: str) -> Greyer:
    """Choose the function that makes frames with these properties grey: (H, W[, 3]) to (H, W)."""
    kind = properties["photometric_interpretation"]
    bits = int(properties["bits_stored"])
    if bits > MAX_TABLE_BITS:
        raise _unknown(name, f"{bits} bits a pixel")
    if kind in ("MONOCHROME1", "MONOCHROME2"):
        table = _window_table(header, bits, is_signed=properties["pixel_representation"] == 1)
        return _lookup(255 - table if kind == "MONOCHROME1" else table)
    if kind == "PALETTE COLOR":
        return _lookup(_palette_table(header, bits))
    if kind == "RGB":
        return lambda frame: luma(_to_8_bit(frame, bits))
    if kind in ("YBR_FULL", "YBR_FULL_422"):
        return lambda frame: _to_8_bit(frame[..., 0], bits)
    if kind in ("YBR_PARTIAL_420", "YBR_PARTIAL_422"):
        return lambda frame: widen_range(_to_8_bit(frame[..., 0], bits))
    raise _unknown(name, "a colour model that is none of DICOM's")


def _unknown(name: str, seen: str) -> ApicalError:
    return ApicalError(
        "The picture's colours can't be read",
        where=name,
        seen=seen,
        remedy="Convert the file to grey, or leave it out",
    )


def _to_8_bit(values: Pixels, bits: int) -> npt.NDArray[np.uint8]:
    if values.dtype == np.uint8 and bits == 8:
        return values.astype(np.uint8, copy=False)
    return (values.astype(np.int64) >> max(0, bits - 8)).astype(np.uint8)


def _lookup(table: npt.NDArray[np.uint8]) -> Greyer:
    """Look up values modulo the table's length, so that signed ones find theirs at its end."""
    if np.array_equal(table, IDENTITY_8_BIT):
        return lambda frame: frame.astype(np.uint8, copy=False)
    last = len(table) - 1
    return lambda frame: table[frame.astype(np.int64) & last]


def _all_values(bits: int, *, is_signed: bool) -> npt.NDArray[np.int64]:
    """Every value of `bits` bits, in the order of their unsigned form."""
    values = np.arange(2**bits)
    return np.where(values >= 2 ** (bits - 1), values - 2**bits, values) if is_signed else values


def _window_table(header: Dataset, bits: int, *, is_signed: bool) -> npt.NDArray[np.uint8]:
    """Grey of every stored value: rescaled, then windowed; without a window the whole range is shown."""
    slope, intercept = number(header, "RescaleSlope") or 1.0, number(header, "RescaleIntercept") or 0.0
    values = _all_values(bits, is_signed=is_signed) * slope + intercept
    centre, width = number(header, "WindowCenter"), number(header, "WindowWidth")
    if centre is None or width is None or width <= 1 or not _shows_something(values, centre, width):
        low, span = float(values.min()), float(np.ptp(values)) or 1.0
    else:
        low, span = centre - 0.5 - (width - 1) / 2, width - 1
    return np.asarray(np.clip(np.rint((values - low) * (255 / span)), 0, 255), np.uint8)


def _shows_something(values: npt.NDArray[np.floating], centre: float, width: float) -> bool:
    """Whether a window overlaps the values at all; one that doesn't is a slip of the header."""
    return centre - width / 2 < float(values.max()) and centre + width / 2 > float(values.min())


def _palette_table(header: Dataset, bits: int) -> npt.NDArray[np.uint8]:
    values = np.arange(2**bits, dtype=np.uint16 if bits > 8 else np.uint8)
    colours = apply_color_lut(values[None], header)[0, :, :3]
    if colours.dtype != np.uint8:
        colours = (colours >> 8).astype(np.uint8)
    return np.asarray(luma(colours[None])[0])
