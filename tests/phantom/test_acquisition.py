from __future__ import annotations

import numpy as np
import pytest

from apical.errors import ApicalError
from apical.phantom.acquisition import draw_acquisition
from apical.phantom.patient import draw_patient
from apical.phantom.styles import STYLES


def test_the_same_patient_and_clip_are_taken_the_same_way() -> None:
    patient = draw_patient(1, 2)
    assert draw_acquisition(patient, 3, "a4c") == draw_acquisition(patient, 3, "a4c")
    assert draw_acquisition(patient, 3, "a4c") != draw_acquisition(patient, 4, "a4c")


def test_what_is_given_changes_nothing_else_of_the_draw() -> None:
    patient = draw_patient(1, 2)
    free = draw_acquisition(patient, 0, "a4c")
    given = draw_acquisition(patient, 0, "a4c", fps_hz=31.0, num_frames=7, style=free.style)
    assert (given.fps_hz, given.num_frames) == (31.0, 7)
    assert (given.pose, given.conditions, given.depth_mm) == (free.pose, free.conditions, free.depth_mm)


def test_all_machine_styles_turn_up() -> None:
    drawn = {draw_acquisition(draw_patient(0, index), 0, "a4c").style for index in range(60)}
    assert drawn == set(STYLES)


def test_a_clip_lasts_more_than_two_beats() -> None:
    for index in range(10):
        patient = draw_patient(0, index)
        acquisition = draw_acquisition(patient, 0, "plax")
        assert acquisition.num_frames / acquisition.fps_hz > 2 * 60 / patient.heart_rate_bpm


def test_an_uncropped_fan_touches_the_canvas_but_stays_on_it() -> None:
    for index in range(10):
        fan = draw_acquisition(draw_patient(0, index), 0, "a4c", height=90, width=120, side_crop=0.0).fan
        corner = fan.depth_mm * np.array([np.sin(fan.half_angle_rad), np.cos(fan.half_angle_rad)])
        right = fan.to_pixels(corner)[0]
        bottom = fan.to_pixels(np.array([0.0, fan.bottom_mm or fan.depth_mm]))[1]
        assert right <= 119.5 + 1e-6
        assert bottom <= 89.5 + 1e-6
        assert right == pytest.approx(119.5) or bottom == pytest.approx(89.5)


def test_a_screen_leaves_room_on_all_sides_of_the_fan() -> None:
    sector = draw_acquisition(
        draw_patient(0, 0), 0, "plax", height=300, width=400, is_screen=True
    ).fan.sector()
    rows, columns = np.flatnonzero(sector.any(axis=1)), np.flatnonzero(sector.any(axis=0))
    assert rows[0] > 10
    assert rows[-1] < 290
    assert columns[0] > 30
    assert columns[-1] < 370


def test_pixels_may_be_wider_than_high() -> None:
    spacing = draw_acquisition(draw_patient(0, 0), 0, "a4c", pixel_aspect=2.0).fan.spacing_mm
    assert spacing[1] == pytest.approx(2 * spacing[0])


def test_an_unknown_style_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ApicalError, match="crisp"):
        draw_acquisition(draw_patient(0, 0), 0, "a4c", style="crips")
