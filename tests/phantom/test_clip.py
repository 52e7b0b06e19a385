from __future__ import annotations

import functools
import itertools
import time

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import binary_erosion

from apical.phantom.acquisition import draw_acquisition
from apical.phantom.clip import PhantomClip, render_clip
from apical.phantom.patient import draw_patient
from apical.phantom.styles import STYLES

ECHO_VIEWS = ("a4c", "a2c", "plax", "psax")


@functools.cache
def clip(
    index: int = 0,
    echo_view: str = "a4c",
    number: int = 0,
    num_frames: int | None = None,
    style: str | None = None,
) -> PhantomClip:
    patient = draw_patient(7, index)
    return render_clip(
        patient, draw_acquisition(patient, number, echo_view, num_frames=num_frames, style=style)
    )


def likeness(
    first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], where: npt.NDArray[np.bool_]
) -> float:
    """Correlation of fine texture: what is left when the surroundings' mean is taken away."""
    fine = [frame.astype(float) - _surroundings(frame.astype(float)) for frame in (first, second)]
    return float(np.corrcoef(fine[0][where], fine[1][where])[0, 1])


def _surroundings(frame: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifts = [np.roll(frame, (dy, dx), (0, 1)) for dy in (-2, 0, 2) for dx in (-2, 0, 2)]
    return np.asarray(np.mean(shifts, axis=0))


def test_the_same_key_gives_the_same_bytes() -> None:
    again = clip.__wrapped__(index=1, num_frames=12)
    np.testing.assert_array_equal(clip(index=1, num_frames=12).frames, again.frames)


def test_another_clip_of_the_patient_is_another_picture() -> None:
    assert (clip(1, num_frames=12).frames != clip(1, number=1, num_frames=12).frames).any()


@pytest.mark.parametrize("echo_view", ECHO_VIEWS)
def test_pixels_outside_the_fan_are_black(echo_view: str) -> None:
    shown = clip(2, echo_view, num_frames=10)
    assert not shown.frames[:, ~shown.sector].any()
    assert (shown.frames[:, shown.sector] > 0).mean() > 0.5


def test_speckle_lasts_from_frame_to_frame_and_fades_with_motion() -> None:
    shown = clip(3, style="grainy")
    ed, es = shown.beats[0]
    muscle = shown.masks(ed)["myo"] & shown.sector
    next_one = likeness(shown.frames[ed], shown.frames[ed + 1], muscle)
    assert next_one > 0.4
    assert next_one > 0.2 + likeness(shown.frames[ed], shown.frames[es], muscle)


def test_speckle_of_different_patients_has_nothing_in_common() -> None:
    shown = [clip(index, num_frames=2) for index in range(3, 8)]
    for first, second in itertools.pairwise(shown):
        inner = binary_erosion(first.sector & second.sector, iterations=6)  # all fans have a rim
        assert abs(likeness(first.frames[0], second.frames[0], inner)) < 0.1


@pytest.mark.parametrize("echo_view", ECHO_VIEWS)
def test_the_cavity_is_darker_than_the_muscle(echo_view: str) -> None:
    differences = []
    for index in range(12):
        shown = clip(index, echo_view, num_frames=2)
        areas = {name: mask & shown.sector for name, mask in shown.masks(0).items()}
        differences.append(shown.frames[0][areas["myo"]].mean() - shown.frames[0][areas["lv"]].mean())
    assert np.mean(differences) > 25
    assert np.mean(np.array(differences) > 5) > 0.8


def test_windows_reach_from_easy_to_poor() -> None:
    qualities = [draw_acquisition(draw_patient(0, index), 0, "a4c").conditions.quality for index in range(60)]
    assert min(qualities) < 0.2
    assert max(qualities) > 0.8


def area_mm2(points: npt.NDArray[np.float64]) -> float:
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@pytest.mark.parametrize("echo_view", ECHO_VIEWS)
def test_a_mask_has_the_area_of_its_outline_in_mm(echo_view: str) -> None:
    shown = clip(5, echo_view)
    for frame in shown.beats[0]:
        true_mm2 = area_mm2(shown.anatomy.contours(float(shown.times_s[frame]))["lv"])
        assert shown.masks(frame)["lv"].sum() * np.prod(shown.spacing_mm) == pytest.approx(true_mm2, rel=0.02)


@pytest.mark.parametrize("echo_view", ["a4c", "a2c", "psax"])
def test_the_ventricle_is_largest_at_end_diastole_and_smallest_at_end_systole(echo_view: str) -> None:
    shown = clip(6, echo_view)
    assert shown.beats
    for ed, es in shown.beats:
        areas = [int(shown.masks(frame)["lv"].sum()) for frame in range(ed, es + 1)]
        assert areas[0] >= 0.985 * max(areas)
        assert areas[-1] <= 1.03 * min(areas)
        assert shown.volumes_ml[ed] == pytest.approx(shown.patient.edv_ml)
        assert shown.volumes_ml[es] == pytest.approx(shown.patient.esv_ml)


def test_the_long_axis_and_chords_lie_on_the_outline() -> None:
    shown = clip(6)
    lines, outline = shown.long_axis_and_chords(4), shown.contours(4)["lv"]
    assert lines.shape == (21, 4)
    ends = lines[1:].reshape(-1, 2)
    distance = np.linalg.norm(ends[:, None] - outline[None], axis=2).min(axis=1)
    assert distance.max() < 2.5


def test_calipers_measure_the_drawn_walls() -> None:
    shown = clip(6, "plax")
    ed = shown.beats[0][0]
    line = shown.calipers(ed)["ivs"].reshape(2, 2)
    length_cm = np.linalg.norm((line[1] - line[0]) * shown.spacing_mm[::-1]) / 10
    assert length_cm == pytest.approx(shown.patient.ivs_cm, rel=0.02)


@pytest.mark.parametrize("style", sorted(STYLES))
def test_no_style_drowns_or_burns_the_picture(style: str) -> None:
    shown = [clip(index, num_frames=2, style=style) for index in range(6)]
    inside = np.concatenate([each.frames[0][each.sector] for each in shown])
    assert 25 < inside.mean() < 170
    assert (inside == 255).mean() < 0.1


def test_a_still_is_a_clip_of_one_frame() -> None:
    assert clip(1, "psax", num_frames=1).frames.shape == (1, 112, 112)


def test_rendering_keeps_far_ahead_of_real_time() -> None:
    patient = draw_patient(7, 1)
    acquisition = draw_acquisition(patient, 9, "a4c", num_frames=64)
    start = time.process_time()
    render_clip(patient, acquisition)
    assert 64 / (time.process_time() - start) > 60  # several times more on a quiet machine
