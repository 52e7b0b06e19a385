"""Still pictures: PNG, JPEG, BMP or TIFF comes in, one grey frame (or one a TIFF page) goes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence

from apical.errors import ApicalError
from apical.readers._bounded_file import BoundedFile
from apical.readers._failures import decoding
from apical.readers._grey import squeeze
from apical.readers._stack import refuse_oversize
from apical.readers.base import Frames, Reader, Recording

__all__ = ["ImageReader"]

FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "F")
"""Modes with more than 8 bits of grey."""
LABEL_MODES = ("1", "L", "P", *DEEP_MODES)
MAX_PAGES = 10_000


class ImageReader(Reader):
    """Pictures of any depth and colour."""

    suffixes = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

    def read(self, path: Path) -> Recording:
        """Decode all pages to grey."""
        with _opened(path) as picture:
            pages = [_grey_values(page) for page in _pages(picture, path)]
        frames, notes = squeeze(_stacked(pages, path), path.name)
        return Recording(frames=frames, notes=notes)

    def read_labels(self, path: Path) -> Frames:
        """Decode a label picture: grey levels or palette indices as they are."""
        with _opened(path) as picture:
            if picture.mode not in LABEL_MODES or picture.format == "JPEG":
                raise ApicalError(
                    "A label picture must be lossless and hold one number a pixel",
                    where=path.name,
                    seen=f"{picture.format} in mode {picture.mode}",
                    remedy="Save it as grey or palette PNG",
                )
            values = np.asarray(picture)
        if values.size and (values.min() < 0 or values.max() > 255):
            raise ApicalError("A label is not in 0-255", where=path.name, remedy="Save it as 8-bit PNG")
        return values.astype(np.uint8)[None]


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture, its size checked before any pixel is decoded."""
    with (
        decoding(path, "The file is no picture that can be decoded", Image.DecompressionBombError),
        BoundedFile(path) as file,
        Image.open(file, formats=FORMATS) as picture,
    ):
        refuse_oversize(path.name, picture.height, picture.width, bytes_per_pixel=len(picture.getbands()))
        yield picture


def _pages(picture: Image.Image, path: Path) -> Iterator[Image.Image]:
    """All pages of a TIFF; only the first picture of anything else."""
    if picture.format != "TIFF":
        yield picture
        return
    for index, page in enumerate(ImageSequence.Iterator(picture)):
        refuse_oversize(path.name, index + 1, page.height, page.width)
        if index == MAX_PAGES:
            raise ApicalError("The file has too many pages", where=path.name, remedy="Split it")
        yield page


def _grey_values(page: Image.Image) -> npt.NDArray[np.generic]:
    """One page's grey values (H, W), in its own depth; what is transparent is black."""
    if page.mode in DEEP_MODES:
        return np.array(page)
    if page.has_transparency_data:
        colours = page.convert("RGBA")
        page = Image.alpha_composite(Image.new("RGBA", colours.size, (0, 0, 0, 255)), colours).convert("RGB")
    return np.array(page.convert("L"))


def _stacked(pages: list[npt.NDArray[np.generic]], path: Path) -> npt.NDArray[np.generic]:
    if len({page.shape for page in pages}) != 1:
        raise ApicalError(
            "The pages of the file differ in size",
            where=path.name,
            remedy="Save each size in a file of its own",
        )
    return np.stack(pages) if len(pages) > 1 else pages[0][None]
