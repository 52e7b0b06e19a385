"""Ultrasound regions, never trusted: a header's claims come in, a tissue region and a pixel size go out."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from apical.readers._dicom_tags import items, number, numbers
from apical.readers._plausible import plausible_spacing
from apical.readers.base import Box

__all__ = ["Place", "place_of_tissue"]

TISSUE = 1
TWO_DIMENSIONAL = 1
CENTIMETRES = 3
MM_PER_CM = 10.0
SLACK = 2
"""Pixels by which a region may overhang: some count from one, some end one past the last pixel."""
OTHER_SCALE = (
    "the ultrasound region is larger than the picture both ways, as if made for another size; ignored"
)
OVERHANG = "the ultrasound region overhangs the picture; cut, and its pixel size ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where tissue is and how large its pixels are, as far as the header is to be believed."""

    region: Box | None = None
    spacing_mm: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Region:
    box: Box
    """As claimed, but for one past the end."""
    is_tissue: bool
    spacing_mm: tuple[float, float] | None


def place_of_tissue(header: Dataset, height: int, width: int) -> Place:
    """The largest region of two-dimensional tissue within a picture of (height, width)."""
    claimed = [_region(item) for item in items(header, "SequenceOfUltrasoundRegions")]
    regions = [region for region in claimed if region is not None and region.is_tissue]
    if not regions:
        return Place(spacing_mm=_pixel_spacing(header), notes=_note_on_absence(claimed))
    region = max(regions, key=lambda each: _area(_clipped(each.box, height, width)))
    overhangs = region.box.bottom > height + SLACK, region.box.right > width + SLACK
    if all(overhangs):
        return Place(notes=(OTHER_SCALE,))
    box = _clipped(region.box, height, width)
    if not _area(box):
        return Place(notes=("the ultrasound region lies outside the picture; ignored",))
    if any(overhangs):
        return Place(region=box, notes=(OVERHANG,))
    return Place(region=box, spacing_mm=region.spacing_mm)


def _note_on_absence(claimed: list[_Region | None]) -> tuple[str, ...]:
    return ("none of the ultrasound regions is two-dimensional tissue",) if claimed else ()


def _region(item: Dataset) -> _Region | None:
    """One item of the sequence; None if its corners are no numbers or in the wrong order."""
    names = ("MinY0", "MinX0", "MaxY1", "MaxX1")
    corners = [number(item, f"RegionLocation{name}") for name in names]
    top, left, bottom, right = (round(corner) if corner is not None else None for corner in corners)
    if top is None or left is None or bottom is None or right is None or bottom <= top or right <= left:
        return None
    is_tissue = (
        number(item, "RegionDataType") == TISSUE and number(item, "RegionSpatialFormat") == TWO_DIMENSIONAL
    )
    return _Region(Box(top, left, bottom + 1, right + 1), is_tissue, _spacing(item))


def _spacing(item: Dataset) -> tuple[float, float] | None:
    """Pixel size (y, x), if it is in centimetres both ways; deltas may be negative."""
    units = [number(item, f"PhysicalUnits{axis}Direction") for axis in "YX"]
    deltas = [number(item, f"PhysicalDelta{axis}") for axis in "YX"]
    y, x = deltas
    if units != [CENTIMETRES, CENTIMETRES] or y is None or x is None:
        return None
    return plausible_spacing(y * MM_PER_CM, x * MM_PER_CM)


def _pixel_spacing(header: Dataset) -> tuple[float, float] | None:
    spacing = numbers(header, "PixelSpacing")
    return plausible_spacing(*spacing) if len(spacing) == 2 else None


def _clipped(box: Box, height: int, width: int) -> Box:
    return Box(max(0, box.top), max(0, box.left), min(height, box.bottom), min(width, box.right))


def _area(box: Box) -> int:
    return max(0, box.bottom - box.top) * max(0, box.right - box.left)
