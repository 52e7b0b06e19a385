"""Pixels of synthetic DICOM files: colour frames come in, files that store them in one way of many go out."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from apical.phantom.encode import Pixels
from apical.whole import whole_file

__all__ = ["STORAGE_KINDS", "write_dicom"]

JPEG_QUALITY = 92


def write_dicom(path: Path, header: Dataset, colour: Pixels, kind: str) -> None:
    """Write colour frames (T, H, W, 3) under a header, stored as `kind`."""
    header.file_meta = FileMetaDataset()
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    STORAGE_KINDS[kind](header, colour)
    with whole_file(path) as part:
        dcmwrite(part, header, enforce_file_format=True)


def _describe(header: Dataset, pixels: Pixels, photometric: str, syntax: UID) -> None:
    """Add native pixels, grey (T, H, W) or colour (T, H, W, 3), and what describes them."""
    header.NumberOfFrames, header.Rows, header.Columns = pixels.shape[:3]
    header.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    if pixels.ndim == 4:
        header.PlanarConfiguration = 0
    header.PhotometricInterpretation = photometric
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.file_meta.TransferSyntaxUID = syntax
    header.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    header["PixelData"].VR = "OB"


def _grey(colour: Pixels) -> Pixels:
    grey: Pixels = colour.max(axis=-1)
    return grey


def _store_rgb(header: Dataset, colour: Pixels) -> None:
    _describe(header, colour, "RGB", ExplicitVRLittleEndian)


def _store_jpeg(header: Dataset, colour: Pixels) -> None:
    _describe(header, colour, "YBR_FULL_422", JPEGBaseline8Bit)
    header.PixelData = encapsulate([_jpeg(frame) for frame in colour])
    header["PixelData"].is_undefined_length = True
    header.LossyImageCompression = "01"


def _jpeg(frame: Pixels) -> bytes:
    from PIL import Image

    content = BytesIO()
    Image.fromarray(frame).save(content, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:2")
    return content.getvalue()


def _store_rle(header: Dataset, colour: Pixels) -> None:
    _describe(header, colour, "RGB", ExplicitVRLittleEndian)
    header.compress(RLELossless, encoding_plugin="gdcm", generate_instance_uid=False)


def _store_jpeg2000(header: Dataset, colour: Pixels) -> None:
    _describe(header, _grey(colour), "MONOCHROME2", ExplicitVRLittleEndian)
    header.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)


def _store_implicit(header: Dataset, colour: Pixels) -> None:
    _describe(header, _grey(colour), "MONOCHROME2", ImplicitVRLittleEndian)


def _store_palette(header: Dataset, colour: Pixels) -> None:
    """Store places in a table of greys that runs backwards: who ignores it sees a negative."""
    _describe(header, 255 - _grey(colour), "PALETTE COLOR", ExplicitVRBigEndian)
    table = (np.arange(255, -1, -1, dtype=">u2") * 257).tobytes()
    for name in ("Red", "Green", "Blue"):
        setattr(header, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(header, f"{name}PaletteColorLookupTableData", table)


STORAGE_KINDS: dict[str, Callable[[Dataset, Pixels], None]] = {
    "jpeg": _store_jpeg,
    "rle": _store_rle,
    "jpeg2000": _store_jpeg2000,
    "rgb": _store_rgb,
    "palette": _store_palette,
    "implicit": _store_implicit,
}
"""Ways to store pixels; turns go by this order."""
