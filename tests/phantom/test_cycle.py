"""The beat: its volumes, its timing and its valves."""

from __future__ import annotations

import numpy as np
import pytest

from apical.phantom.cycle import Cycle, draw_cycle, end_diastole
from apical.phantom.patient import draw_patient

CLIPS = [(index, clip) for index in range(40) for clip in range(2)]


@pytest.fixture(scope="module")
def cycles() -> list[Cycle]:
    return [draw_cycle(draw_patient(5, index), clip, 3.0) for index, clip in CLIPS]


def times(cycle: Cycle) -> np.ndarray:
    return np.linspace(0, cycle.duration_s, 1501)


def test_volumes_run_between_edv_and_esv(cycles: list[Cycle]) -> None:
    for cycle in cycles:
        volume_ml = cycle.volume_ml(times(cycle))
        assert volume_ml.max() == pytest.approx(cycle.patient.edv_ml)
        assert volume_ml.min() == pytest.approx(cycle.patient.esv_ml)


def test_end_diastole_is_the_largest_volume_and_end_systole_the_smallest(cycles: list[Cycle]) -> None:
    for cycle in cycles:
        assert cycle.beats
        ed_s, es_s = np.array(cycle.beats).T
        assert cycle.volume_ml(ed_s) == pytest.approx(cycle.patient.edv_ml)
        assert cycle.volume_ml(es_s) == pytest.approx(cycle.patient.esv_ml)
        assert np.all(ed_s >= 0)
        assert np.all(es_s <= cycle.duration_s)


def test_the_frame_nearest_to_a_beats_times_has_its_very_volume(cycles: list[Cycle]) -> None:
    for cycle in cycles:
        ed_s, es_s = np.round(np.array(cycle.beats).T * 30) / 30
        assert cycle.volume_ml(ed_s) == pytest.approx(cycle.patient.edv_ml, rel=0.01)
        assert cycle.volume_ml(es_s) == pytest.approx(cycle.patient.esv_ml, rel=0.01)


def test_systole_is_shorter_than_diastole(cycles: list[Cycle]) -> None:
    for cycle in cycles:
        ed_s, es_s = np.array(cycle.beats).T
        assert np.all((es_s - ed_s)[:-1] < ed_s[1:] - es_s[:-1])


def test_volume_falls_from_end_diastole_to_end_systole_and_never_jumps(cycles: list[Cycle]) -> None:
    for cycle in cycles:
        ed_s, es_s = cycle.beats[0]
        assert np.all(np.diff(cycle.volume_ml(np.linspace(ed_s, es_s, 100))) <= 1e-9)
        assert np.abs(np.diff(cycle.contraction(times(cycle)))).max() < 0.04


def test_the_valves_are_never_open_together(cycles: list[Cycle]) -> None:
    for cycle in cycles:
        mitral, aortic = cycle.mitral_opening(times(cycle)), cycle.aortic_opening(times(cycle))
        assert np.all(np.minimum(mitral, aortic) < 1e-9)
        for opening in (mitral, aortic):
            assert opening.min() >= 0
            assert 0.9 < opening.max() <= 1


def test_blood_leaves_only_while_the_aortic_valve_is_open(cycles: list[Cycle]) -> None:
    for cycle in cycles:
        outflow = np.diff(cycle.volume_ml(times(cycle))) < -1e-6
        assert np.all(cycle.aortic_opening(times(cycle))[:-1][outflow] + 1e-3 > 0)
        assert np.all(cycle.mitral_opening(times(cycle))[:-1][outflow] == 0)


def test_the_atrium_fills_while_the_ventricle_empties(cycles: list[Cycle]) -> None:
    for cycle in cycles:
        ed_s, es_s = np.array(cycle.beats).T
        assert np.all(cycle.atrial_volume(es_s) > 0.95)
        assert np.all(cycle.atrial_volume(ed_s) < 0.1)


def test_the_same_clip_beats_the_same_and_another_does_not() -> None:
    patient = draw_patient(5, 1)
    assert np.array_equal(draw_cycle(patient, 0, 2.0).landmarks_s, draw_cycle(patient, 0, 2.0).landmarks_s)
    assert draw_cycle(patient, 0, 2.0).beats != draw_cycle(patient, 1, 2.0).beats


def test_clips_start_anywhere_in_the_beat() -> None:
    starts = [draw_cycle(draw_patient(6, index), 0, 2.5).contraction(np.zeros(1))[0] for index in range(60)]
    assert min(starts) < 0.05
    assert max(starts) > 0.9


def test_a_clip_just_long_enough_has_a_whole_systole() -> None:
    for index in range(60):
        assert draw_cycle(draw_patient(6, index), 0, 0.7).beats


def test_end_diastole_is_relaxed_and_full() -> None:
    state = end_diastole(draw_patient(5, 1))
    assert state.volume_ml[0] == draw_patient(5, 1).edv_ml
    assert state.contraction[0] == state.mitral_opening[0] == state.aortic_opening[0] == 0
