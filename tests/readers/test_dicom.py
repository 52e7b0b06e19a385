from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from apical.errors import ApicalError
from apical.readers.base import Box, Frames, Recording
from apical.readers.dicom import DicomReader

Tags = dict[str, Any]


def write(path: Path, pixels: npt.NDArray[np.generic], tags: Tags | None = None) -> Path:
    """Write frames (T, H, W[, 3]) as a multi-frame ultrasound file; `tags` add to or replace its elements."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = generate_uid(entropy_srcs=["a"])
    file.SOPClassUID = UltrasoundMultiFrameImageStorage
    file.NumberOfFrames, file.Rows, file.Columns = pixels.shape[:3]
    file.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    file.PlanarConfiguration = 0
    file.PhotometricInterpretation = "RGB" if pixels.ndim == 4 else "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 8 * pixels.dtype.itemsize
    file.HighBit, file.PixelRepresentation = file.BitsStored - 1, int(pixels.dtype.kind == "i")
    file.PixelData = pixels.tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in (tags or {}).items():
            setattr(file, name, value)
        file["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
        file.save_as(path, enforce_file_format=True)
    return path


def region(top: int, left: int, bottom: int, right: int, **tags: float) -> Dataset:
    """Describe an ultrasound region; corners are the first and the last pixel."""
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionLocationMinY0, item.RegionLocationMinX0 = top, left
    item.RegionLocationMaxY1, item.RegionLocationMaxX1 = bottom, right
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX, item.PhysicalDeltaY = 0.03, 0.04
    for name, value in tags.items():
        setattr(item, name, value)
    return item


def read(tmp_path: Path, pixels: npt.NDArray[np.generic], **tags: Any) -> Recording:
    return DicomReader().read(write(tmp_path / "a.dcm", pixels, tags))


def example(name: str) -> Recording:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return DicomReader().read(Path(path))


def test_a_jpeg_clip_whose_region_is_of_another_size() -> None:
    recording = example("examples_ybr_color.dcm")
    assert recording.frames.shape == (30, 240, 320)
    assert recording.fps_hz == pytest.approx(30.0, rel=1e-3)
    assert (recording.region, recording.spacing_mm) == (None, None)
    assert "another size" in recording.notes[0]


def test_a_palette_still_whose_region_overhangs() -> None:
    recording = example("examples_palette.dcm")
    assert recording.frames.shape == (1, 350, 800)
    assert (recording.region, recording.spacing_mm) == (Box(60, 120, 350, 800), None)
    assert int(recording.frames.max()) == 255


def test_rgb_jpeg_2000_and_big_endian_stills() -> None:
    small, large = example("examples_rgb_color.dcm").frames, example("examples_jpeg2k.dcm").frames
    assert (small.shape, large.shape) == ((1, 240, 320), (1, 480, 640))
    halved = large.reshape(240, 2, 320, 2).mean(axis=(1, 3))
    assert np.corrcoef(halved.ravel(), small.ravel())[0, 1] > 0.8  # the same picture at another size
    assert example("ExplVR_BigEnd.dcm").frames.shape == (1, 60, 80)


def test_grey_is_kept_and_colours_become_luma(tmp_path: Path, clip: Frames) -> None:
    assert np.array_equal(read(tmp_path, clip).frames, clip)
    assert np.array_equal(read(tmp_path, np.stack([clip] * 3, axis=-1)).frames, clip)
    assert np.array_equal(read(tmp_path, clip, PhotometricInterpretation="MONOCHROME1").frames, 255 - clip)
    luma_first = np.stack([clip, np.full_like(clip, 128), np.full_like(clip, 128)], axis=-1)
    assert np.array_equal(read(tmp_path, luma_first, PhotometricInterpretation="YBR_FULL").frames, clip)


def test_a_window_is_applied_once(tmp_path: Path, clip: Frames) -> None:
    deep = clip.astype(np.uint16) * 4 + 1000
    window = {"WindowCenter": 1510.5, "WindowWidth": 1021, "BitsStored": 12}
    recording = read(tmp_path, deep, **window)
    assert np.abs(recording.frames.astype(int) - clip).max() <= 1
    shifted = read(
        tmp_path, deep, **window | {"RescaleIntercept": -1000, "RescaleSlope": 1, "WindowCenter": 510.5}
    )
    assert np.array_equal(shifted.frames, recording.frames)
    signed = read(tmp_path, clip.astype(np.int16) - 128, BitsStored=8, WindowCenter=0, WindowWidth=256)
    assert np.abs(signed.frames.astype(int) - clip).max() <= 1


def test_the_largest_tissue_region_gives_place_and_pixel_size(tmp_path: Path, clip: Frames) -> None:
    regions = [
        region(0, 0, 59, 69, RegionDataType=3),
        region(0, 0, 9, 9),
        region(10, 5, 49, 64, PhysicalDeltaY=-0.04),
    ]
    recording = read(tmp_path, clip, SequenceOfUltrasoundRegions=regions)
    assert recording.region == Box(10, 5, 50, 65)
    assert recording.spacing_mm == pytest.approx((0.4, 0.3))


@pytest.mark.parametrize(
    "odd", [{"PhysicalUnitsXDirection": 4}, {"PhysicalDeltaX": 0.0}, {"PhysicalDeltaY": 40.0}]
)
def test_an_odd_pixel_size_is_unknown(tmp_path: Path, clip: Frames, odd: dict[str, float]) -> None:
    recording = read(tmp_path, clip, SequenceOfUltrasoundRegions=[region(10, 5, 49, 64, **odd)])
    assert (recording.region, recording.spacing_mm) == (Box(10, 5, 50, 65), None)


def test_empty_and_outlying_regions_are_dropped(tmp_path: Path, clip: Frames) -> None:
    for corners in ((10, 10, 10, 30), (10, 50, 30, 20), (100, 5, 200, 60)):
        assert read(tmp_path, clip, SequenceOfUltrasoundRegions=[region(*corners)]).region is None


@pytest.mark.parametrize(
    ("tags", "fps_hz"),
    [
        ({"FrameTime": "20", "CineRate": "30"}, 50.0),
        ({"FrameTime": "0", "FrameTimeVector": [0, 25, 25, 500]}, 40.0),
        ({"FrameTime": "0.001", "CineRate": "30"}, 30.0),
        ({"RecommendedDisplayFrameRate": "25"}, 25.0),
        ({}, None),
    ],
)
def test_the_first_plausible_claim_is_the_frame_rate(
    tmp_path: Path, clip: Frames, tags: Tags, fps_hz: float | None
) -> None:
    assert read(tmp_path, clip, **tags).fps_hz == fps_hz


def test_a_wrong_frame_count_is_noted(tmp_path: Path, clip: Frames) -> None:
    for claimed in (20, 30):
        recording = read(tmp_path, clip, NumberOfFrames=claimed)
        assert (len(recording.frames), recording.stated_frames) == (24, claimed)
        assert recording.notes == (f"the header claims {claimed} frames, the file holds 24",)


@pytest.mark.parametrize("has_offsets", [True, False])
@pytest.mark.parametrize("claimed", [1, 20, 45])
def test_compressed_frames_are_counted_whatever_the_header_claims(
    tmp_path: Path, claimed: int, has_offsets: bool
) -> None:
    path = get_testdata_file("examples_ybr_color.dcm", download=False)
    assert isinstance(path, str)
    file = dcmread(path)
    frames = list(generate_frames(file.PixelData, number_of_frames=30))
    file.NumberOfFrames, file.PixelData = claimed, encapsulate(frames, has_bot=has_offsets)
    file.save_as(tmp_path / "a.dcm")
    recording = DicomReader().read(tmp_path / "a.dcm")
    assert (len(recording.frames), recording.stated_frames) == (30, claimed)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, clip: Frames) -> None:
    path = write(tmp_path / "a.dcm", clip)
    path.write_bytes(path.read_bytes()[: -clip[0].size * 10])
    with pytest.raises(ApicalError, match="stops after 14 of 24 frames"):
        DicomReader().read(path)


def test_broken_compressed_frames_are_refused(tmp_path: Path, clip: Frames) -> None:
    path = write(tmp_path / "a.dcm", clip)
    file = dcmread(path)
    file.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    file.PixelData = encapsulate([b"\xff\xd8 no picture \xff\xd9"] * 24)
    file.save_as(path)
    with pytest.raises(ApicalError, match="Frame 0 of 24"):
        DicomReader().read(path)


def test_a_jpeg_2000_frame_of_impossible_depth_is_refused(tmp_path: Path, clip: Frames) -> None:
    path = write(tmp_path / "a.dcm", clip[:2])
    file = dcmread(path)
    file.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    file.save_as(path)
    content = path.read_bytes()
    depth_at = content.index(b"\xff\x4f\xff\x51") + 42
    path.write_bytes(content[:depth_at] + b"\xf8" + content[depth_at + 1 :])
    with pytest.raises(ApicalError, match="Frame 0 of 2 can't be decoded"):  # GDCM would end the process
        DicomReader().read(path)


def test_absurd_sizes_are_refused_before_anything_is_decoded(tmp_path: Path, clip: Frames) -> None:
    with pytest.raises(ApicalError, match="larger than"):
        read(tmp_path, clip, Rows=60_000, Columns=60_000)


def test_tags_are_audited_by_name_and_no_text_is_repeated(tmp_path: Path, clip: Frames) -> None:
    secret = "Doe^Jane"
    tags = {
        "PatientName": secret,
        "PatientID": secret,
        "StudyDescription": secret,
        "BurnedInAnnotation": "NO",
    }
    path = write(tmp_path / "a.dcm", clip, tags | {"FrameTime": "20.00000"})
    path.write_bytes(path.read_bytes().replace(b"20.00000", secret.encode()))
    recording = DicomReader().read(path)
    assert recording.fps_hz is None
    assert recording.audit is not None
    assert recording.audit.hashed == ("PatientID", "SOPInstanceUID")
    assert recording.audit.burned_in == "no"
    assert {"Rows", "PixelData", "BurnedInAnnotation"} <= set(recording.audit.kept)
    assert recording.audit.dropped >= 4
    assert secret not in repr((recording.notes, recording.audit, recording.fps_hz))


def test_what_is_no_picture_is_refused_without_its_text(tmp_path: Path, clip: Frames) -> None:
    path = write(
        tmp_path / "a.dcm", clip, {"PatientName": "Doe^Jane", "PhotometricInterpretation": "Doe^Jane"}
    )
    with pytest.raises(ApicalError) as caught:
        DicomReader().read(path)
    assert "Doe" not in str(caught.value)
    (tmp_path / "b.dcm").write_bytes(b"nothing" * 100)
    with pytest.raises(ApicalError, match="no DICOM"):
        DicomReader().read(tmp_path / "b.dcm")
