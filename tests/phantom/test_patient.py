"""The population: who is drawn, how often, and what stays the same."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from apical.phantom.patient import (
    HYPERTROPHY_THRESHOLD_CM,
    VALVE_BY_GRADE,
    Patient,
    Prevalence,
    draw_patient,
)


@pytest.fixture(scope="module")
def population() -> list[Patient]:
    return [draw_patient(11, index) for index in range(1500)]


def test_same_seed_and_index_give_the_same_patient() -> None:
    assert draw_patient(3, 7) == draw_patient(3, 7)
    assert draw_patient(3, 7) != draw_patient(3, 8)
    assert draw_patient(3, 7) != draw_patient(4, 7)


def test_streams_differ_by_purpose_and_number() -> None:
    patient = draw_patient(3, 7)
    draws = {
        float(patient.generator(purpose, number).random()) for purpose in ("a", "b") for number in range(3)
    }
    assert len(draws) == 6
    assert patient.generator("a", 1).random() == patient.generator("a", 1).random()


def test_sizes_stay_within_what_hearts_have(population: list[Patient]) -> None:
    for patient in population:
        assert 60 <= patient.edv_ml <= 250
        assert 15 <= patient.ef_percent <= 78
        assert 70 <= patient.lv_length_mm <= 100
        assert 0.6 <= patient.ivs_cm <= 2.2
        assert 3.2 < patient.lvid_cm < 7.5
        assert 0 < patient.lvid_systole_cm < patient.lvid_cm
        assert patient.esv_ml == pytest.approx(patient.edv_ml * (1 - patient.ef_percent / 100))


def test_most_ejection_fractions_are_normal(population: list[Patient]) -> None:
    fractions = np.array([patient.ef_percent for patient in population])
    assert 0.75 < np.mean(fractions >= 50) < 0.85
    assert 55 < np.median(fractions) < 63


def test_disease_is_as_frequent_as_asked() -> None:
    prevalence = Prevalence(any_as=0.6, severe_as=0.3, hypertrophy=0.4, low_ef=0.5)
    patients = [draw_patient(2, index, prevalence) for index in range(1500)]
    assert np.mean([p.as_grade != "none" for p in patients]) == pytest.approx(0.6, abs=0.04)
    assert np.mean([p.as_grade == "severe" for p in patients]) == pytest.approx(0.3, abs=0.04)
    assert np.mean([p.ef_percent < 50 for p in patients]) == pytest.approx(0.5, abs=0.04)


def test_hypertrophy_is_a_matter_of_thickness_and_follows_severe_stenosis() -> None:
    prevalence = Prevalence(any_as=0.5, severe_as=0.4)
    patients = [draw_patient(2, index, prevalence) for index in range(1000)]
    for patient in patients:
        assert patient.is_hypertrophic == (
            patient.ivs_cm >= HYPERTROPHY_THRESHOLD_CM or patient.lvpw_cm >= HYPERTROPHY_THRESHOLD_CM
        )
    severe = np.mean([p.is_hypertrophic for p in patients if p.as_grade == "severe"])
    none = np.mean([p.is_hypertrophic for p in patients if p.as_grade == "none"])
    assert severe > 0.5
    assert none < 0.2


def test_worse_stenosis_opens_less_and_neighbouring_grades_overlap() -> None:
    valves = list(VALVE_BY_GRADE.values())
    for milder, worse in pairwise(valves):
        assert np.mean(worse.opening) < np.mean(milder.opening)
        assert np.mean(worse.thickness_mm) > np.mean(milder.thickness_mm)
        assert worse.thickness_mm[0] < milder.thickness_mm[1]
