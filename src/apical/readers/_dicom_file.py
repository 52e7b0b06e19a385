"""DICOM: an ultrasound image or clip comes in, compressed or not; grey frames and allowed tags go out."""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.utils import get_expected_length

from apical.errors import ApicalError
from apical.readers._bounded_file import BoundedFile
from apical.readers._dicom_grey import grey_of
from apical.readers._dicom_pixels import PixelStore, find_pixels
from apical.readers._dicom_regions import place_of_tissue
from apical.readers._dicom_tags import PYDICOM_FAILURES, audit, number
from apical.readers._dicom_timing import frame_rate
from apical.readers._failures import DECODER_FAILURES, REPLACE, decoding
from apical.readers._stack import FrameStack, refuse_oversize
from apical.readers.base import Frames, Recording

__all__ = ["read_dicom"]


def read_dicom(path: Path) -> Recording:
    """Decode all frames; only tags on the allow-list are looked at."""
    with (
        decoding(path, "The file is no DICOM that can be decoded", *PYDICOM_FAILURES),
        BoundedFile(path) as file,
    ):
        header = dcmread(file, stop_before_pixels=True)
        _refuse_deflated(header, path)
        stated = _stated_frames(header)
        frames, notes = _decode(file, header, path, stated or 1)
        place = place_of_tissue(header, *frames.shape[1:])
        return Recording(
            frames=frames,
            fps_hz=frame_rate(header) if len(frames) > 1 else None,
            spacing_mm=place.spacing_mm,
            region=place.region,
            stated_frames=stated,
            notes=(*notes, *place.notes),
            audit=audit(header),
        )


def _stated_frames(header: Dataset) -> int | None:
    stated = number(header, "NumberOfFrames")
    return int(stated) if stated is not None and stated >= 1 else None


def _refuse_deflated(header: Dataset, path: Path) -> None:
    if header.file_meta.TransferSyntaxUID.is_deflated:
        raise ApicalError(
            "The file is deflated as a whole, which images never need",
            where=path.name,
            remedy="Convert it to another transfer syntax, for instance with dcmconv or gdcmconv",
        )


def _decode(file: BufferedReader, header: Dataset, path: Path, stated: int) -> tuple[Frames, tuple[str, ...]]:
    """All frames that are there; a file that was cut short is refused."""
    if "Rows" not in header or "Columns" not in header:
        raise ApicalError("The file holds no picture", where=path.name, remedy="Leave it out")
    refuse_oversize(path.name, header.Rows, header.Columns, header.SamplesPerPixel)
    store = find_pixels(file, header, _frame_bytes(header))
    if store is None:
        raise ApicalError("The file has no pixel data", where=path.name, remedy=REPLACE)
    if not store.frames or (store.is_cut and store.frames < stated):
        raise ApicalError(
            f"The file stops after {store.frames} of {stated} frames", where=path.name, remedy=REPLACE
        )
    stack = _fill(file, header, path, store, stated)
    if stack.count == stated:
        return stack.frames(), ()
    return stack.frames(), (f"the header claims {stated} frames, the file holds {stack.count}",)


def _frame_bytes(header: Dataset) -> int:
    """Bytes of one frame that isn't compressed."""
    stated = int(number(header, "NumberOfFrames") or 1)
    return int(get_expected_length(header)) // max(1, stated)


def _frames_to_ask_for(store: PixelStore, stated: int) -> int:
    """Frames to decode, whatever the header claims; compressed ones are counted by where pictures end.

    Where it claims one, all fragments would be taken for it; asked for two, pydicom looks at each fragment's end.
    """
    if not store.is_compressed:
        return store.frames
    return min(store.frames, max(stated, 2 if store.frames > 2 else 1))


def _fill(file: BufferedReader, header: Dataset, path: Path, store: PixelStore, stated: int) -> FrameStack:
    stack = FrameStack(path.name, stated)
    try:
        known, grey = None, None
        for pixels, properties in store.iterate(file, header, _frames_to_ask_for(store, stated)):
            if grey is None or properties != known:
                known, grey = properties, grey_of(header, properties, path.name)
            stack.append(grey(pixels))
    except DECODER_FAILURES as error:
        raise ApicalError(
            f"Frame {stack.count} of {stated} can't be decoded",
            where=path.name,
            seen=type(error).__name__,
            remedy="Convert the file to an uncompressed transfer syntax, or fetch it again",
        ) from None
    return stack
