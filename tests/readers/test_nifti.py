from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

from apical.errors import ApicalError
from apical.readers.base import Frames
from apical.readers.nifti import NiftiReader

NEW_IMAGE: Any = nibabel.Nifti1Image


def write(
    path: Path, values: npt.NDArray[np.generic], zooms: tuple[float, ...], units: tuple[str, str]
) -> Path:
    image: Any = NEW_IMAGE(values, np.eye(4))
    image.header.set_zooms(zooms)
    image.header.set_xyzt_units(*units)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.int16])
def test_width_first_arrays_stand_upright_with_their_values(
    tmp_path: Path, clip: Frames, ending: str, dtype: type[np.generic]
) -> None:
    path = write(tmp_path / f"a{ending}", clip.T.astype(dtype), (0.3, 0.15, 1.0), ("mm", "unknown"))
    recording = NiftiReader().read(path)
    assert np.array_equal(recording.frames, clip)
    assert recording.spacing_mm == pytest.approx((0.15, 0.3))
    assert recording.fps_hz is None
    assert not recording.notes


def test_a_still_is_one_frame(tmp_path: Path, clip: Frames) -> None:
    path = write(tmp_path / "a.nii", clip[0].T, (0.3, 0.3), ("mm", "unknown"))
    assert np.array_equal(NiftiReader().read(path).frames, clip[:1])


def test_the_time_step_of_a_fourth_dimension_gives_the_frame_rate(tmp_path: Path, clip: Frames) -> None:
    values = clip.T[:, :, None, :]
    path = write(tmp_path / "a.nii", values, (0.3, 0.3, 1.0, 20.0), ("mm", "msec"))
    recording = NiftiReader().read(path)
    assert np.array_equal(recording.frames, clip)
    assert recording.fps_hz == pytest.approx(50)


def test_other_values_are_scaled_with_a_note(tmp_path: Path, clip: Frames) -> None:
    path = write(tmp_path / "a.nii", clip.T * 0.01, (0.3, 0.3, 1.0), ("mm", "unknown"))
    recording = NiftiReader().read(path)
    assert np.corrcoef(recording.frames.ravel(), clip.ravel())[0, 1] > 0.999
    assert (int(recording.frames.max()), len(recording.notes)) == (255, 1)


@pytest.mark.parametrize("zooms", [(1.0, 1.0), (25.0, 25.0), (0.3, 0.001)])
def test_an_implausible_spacing_is_unknown(tmp_path: Path, clip: Frames, zooms: tuple[float, ...]) -> None:
    path = write(tmp_path / "a.nii", clip[0].T, zooms, ("mm", "unknown"))
    assert NiftiReader().read(path).spacing_mm is None


def test_labels_are_untouched(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (3, 20, 30)).astype(np.uint8)
    path = write(tmp_path / "a.nii.gz", labels.T.astype(np.float64), (0.3, 0.3, 1.0), ("mm", "unknown"))
    assert np.array_equal(NiftiReader().read_labels(path), labels)
    path = write(tmp_path / "b.nii.gz", labels.T + 0.5, (0.3, 0.3, 1.0), ("mm", "unknown"))
    with pytest.raises(ApicalError, match="whole number"):
        NiftiReader().read_labels(path)


def test_a_size_that_no_clip_has_is_refused_before_it_is_read(tmp_path: Path, clip: Frames) -> None:
    path = write(tmp_path / "a.nii", clip.T, (0.3, 0.3, 1.0), ("mm", "unknown"))
    data = bytearray(path.read_bytes())
    data[42:48] = np.array([32_000, 32_000, 32_000], "<i2").tobytes()
    path.write_bytes(data)
    with pytest.raises(ApicalError, match="larger than"):
        NiftiReader().read(path)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, clip: Frames) -> None:
    for ending in (".nii", ".nii.gz"):
        path = write(tmp_path / f"a{ending}", clip.T, (0.3, 0.3, 1.0), ("mm", "unknown"))
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(ApicalError):
            NiftiReader().read(path)


def test_a_header_that_stops_in_the_middle_is_refused(tmp_path: Path, clip: Frames) -> None:
    path = write(tmp_path / "a.nii", clip.T, (0.3, 0.3, 1.0), ("mm", "unknown"))
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(ApicalError, match="no NIfTI image"):
        NiftiReader().read(path)
