from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from apical.errors import ApicalError
from apical.readers.base import Frames
from apical.readers.mhd import MhdReader

HEADER = """ObjectType = Image
NDims = 3
DimSize = {width} {height} {frames}
ElementType = {kind}
ElementSpacing = 0.308 0.154 1
{more}ElementDataFile = {file}
"""


def header(clip: Frames, file: str, kind: str = "MET_UCHAR", more: str = "") -> str:
    frames, height, width = clip.shape
    return HEADER.format(width=width, height=height, frames=frames, kind=kind, more=more, file=file)


@pytest.mark.parametrize(
    ("kind", "dtype", "more"),
    [
        ("MET_UCHAR", "u1", ""),
        ("MET_SHORT", "<i2", ""),
        ("MET_USHORT", ">u2", "BinaryDataByteOrderMSB = True\n"),
        ("MET_FLOAT", "<f4", ""),
    ],
)
def test_raw_pixels_of_any_type_are_read(
    tmp_path: Path, clip: Frames, kind: str, dtype: str, more: str
) -> None:
    (tmp_path / "a.raw").write_bytes(clip.astype(dtype).tobytes())
    (tmp_path / "a.mhd").write_text(header(clip, "a.raw", kind, more))
    recording = MhdReader().read(tmp_path / "a.mhd")
    assert np.array_equal(recording.frames, clip)
    assert recording.spacing_mm == pytest.approx((0.154, 0.308))


def test_packed_pixels_are_read(tmp_path: Path, clip: Frames) -> None:
    (tmp_path / "a.zraw").write_bytes(zlib.compress(clip.tobytes()))
    (tmp_path / "a.mhd").write_text(header(clip, "a.zraw", more="CompressedData = True\n"))
    assert np.array_equal(MhdReader().read_labels(tmp_path / "a.mhd"), clip)


def test_pixels_may_follow_the_header(tmp_path: Path, clip: Frames) -> None:
    (tmp_path / "a.mha").write_bytes(header(clip, "LOCAL").encode() + clip.tobytes())
    assert np.array_equal(MhdReader().read(tmp_path / "a.mha").frames, clip)


@pytest.mark.parametrize("file", ["../secret.raw", "/etc/hostname", "..", "LIST", "..\\secret.raw", ""])
def test_the_data_file_never_leads_out_of_the_folder(tmp_path: Path, clip: Frames, file: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.raw").write_bytes(clip.tobytes())
    (folder / "a.mhd").write_text(header(clip, file))
    with pytest.raises(ApicalError, match="own folder"):
        MhdReader().read(folder / "a.mhd")


def test_missing_and_short_data_are_refused(tmp_path: Path, clip: Frames) -> None:
    (tmp_path / "a.mhd").write_text(header(clip, "a.raw"))
    with pytest.raises(ApicalError, match="missing"):
        MhdReader().read(tmp_path / "a.mhd")
    (tmp_path / "a.raw").write_bytes(clip.tobytes()[:-1])
    with pytest.raises(ApicalError, match="stop before"):
        MhdReader().read(tmp_path / "a.mhd")


def test_a_bomb_is_not_unpacked(tmp_path: Path, clip: Frames) -> None:
    (tmp_path / "a.zraw").write_bytes(zlib.compress(bytes(50_000_000)))
    (tmp_path / "a.mhd").write_text(header(clip, "a.zraw", more="CompressedData = True\n"))
    assert not MhdReader().read(tmp_path / "a.mhd").frames.any()


@pytest.mark.parametrize(
    "text", ["", "DimSize = 3", "ElementDataFile = a.raw\n", "DimSize = x\nElementDataFile = LOCAL"]
)
def test_a_broken_header_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.mhd").write_text(text)
    with pytest.raises(ApicalError):
        MhdReader().read(tmp_path / "a.mhd")
