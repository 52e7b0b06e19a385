"""Who the synthetic patient is: a seed and a number come in, one draw of anatomy and disease goes out."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

__all__ = ["HYPERTROPHY_THRESHOLD_CM", "AorticStenosis", "Patient", "Prevalence", "draw_patient"]

AorticStenosis = Literal["none", "mild", "mild_to_moderate", "moderate", "severe"]
Sex = Literal["F", "M"]

HYPERTROPHY_THRESHOLD_CM = 1.2
"""A septum or a posterior wall at least this thick at end-diastole is called hypertrophic."""

EDV_LIMITS_ML = (60.0, 250.0)


class _Valve(NamedTuple):
    """Ranges that a grade draws from; neighbours overlap, as they do in life."""

    opening: tuple[float, float]
    thickness_mm: tuple[float, float]
    calcification: tuple[float, float]


VALVE_BY_GRADE: dict[AorticStenosis, _Valve] = {
    "none": _Valve((0.88, 1.00), (0.8, 1.6), (0.0, 0.2)),
    "mild": _Valve((0.70, 0.92), (1.2, 2.4), (0.1, 0.45)),
    "mild_to_moderate": _Valve((0.58, 0.80), (1.6, 3.0), (0.25, 0.6)),
    "moderate": _Valve((0.44, 0.68), (1.8, 3.4), (0.35, 0.8)),
    "severe": _Valve((0.20, 0.42), (2.4, 4.2), (0.6, 1.0)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prevalence:
    """Fractions of patients with each disease; a training set may be made richer than life."""

    any_as: float = 0.17
    """Aortic stenosis of any grade, severe included."""
    severe_as: float = 0.05
    hypertrophy: float = 0.15
    low_ef: float = 0.2
    """Ejection fraction below 50 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One draw of anatomy, a pure function of (seed, index). Sizes are at end-diastole if nothing is said."""

    seed: int
    index: int

    sex: Sex
    age_years: int
    weight_kg: float
    height_cm: float

    edv_ml: float
    ef_percent: float
    heart_rate_bpm: float
    rr_variability: float
    """Standard deviation of the beat length, as a fraction of its mean."""

    lv_length_mm: float
    """Apex to mitral plane."""
    long_axis_shortening: float
    """Fraction of that length lost in systole."""
    ivs_cm: float
    lvid_cm: float
    lvpw_cm: float
    lvid_systole_cm: float

    as_grade: AorticStenosis
    aortic_opening: float
    """How far the cusps open in systole; 1 is all the way."""
    cusp_thickness_mm: float
    cusp_calcification: float
    """0 for thin clean cusps, 1 for heavily calcified ones."""

    apex_roundness: float
    """Exponent of the apical end: 2 is an ellipse, more is blunter."""
    widest_at: float
    """Where the ventricle is widest, from 0 at the apex to 1 at the mitral plane."""
    basal_taper: float
    """Fraction of the greatest width lost at the mitral plane."""
    a4c_width_factor: float
    """How much wider than round the ventricle is in the four-chamber plane; two-chamber inverts it."""

    @property
    def esv_ml(self) -> float:
        """End-systolic volume."""
        return self.edv_ml * (1 - self.ef_percent / 100)

    @property
    def is_hypertrophic(self) -> bool:
        """Whether either wall reaches the threshold."""
        return max(self.ivs_cm, self.lvpw_cm) >= HYPERTROPHY_THRESHOLD_CM

    def generator(self, purpose: str, number: int = 0) -> np.random.Generator:
        """Give a stream of this patient's own for one purpose: the same whenever asked, unlike any other."""
        return np.random.default_rng((self.seed, self.index, zlib.crc32(purpose.encode()), number))


def draw_patient(seed: int, index: int, prevalence: Prevalence | None = None) -> Patient:
    """Draw patient `index` of the population `seed`."""
    prevalence = prevalence or Prevalence()
    rng = np.random.default_rng((seed, index))
    sex, age_years, weight_kg, height_cm = _draw_body(rng)
    as_grade = _draw_stenosis(rng, prevalence)
    ef_percent = _draw_ef(rng, prevalence)
    edv_ml = _draw_edv(rng, sex, weight_kg, height_cm, ef_percent)
    ivs_cm, lvpw_cm = _draw_walls(rng, as_grade, prevalence)
    lvid_cm, lvid_systole_cm = _draw_diameters(rng, edv_ml, ef_percent)
    valve = VALVE_BY_GRADE[as_grade]
    return Patient(
        seed=seed,
        index=index,
        sex=sex,
        age_years=age_years,
        weight_kg=weight_kg,
        height_cm=height_cm,
        edv_ml=edv_ml,
        ef_percent=ef_percent,
        heart_rate_bpm=_normal(rng, 70, 11, 48, 108),
        rr_variability=float(rng.uniform(0.01, 0.05) if rng.random() > 0.06 else rng.uniform(0.1, 0.2)),
        lv_length_mm=_normal(rng, 84 * (edv_ml / 120) ** (1 / 3), 3, 70, 100),
        long_axis_shortening=_normal(rng, 0.04 + 0.002 * ef_percent, 0.015, 0.05, 0.20),
        ivs_cm=ivs_cm,
        lvid_cm=lvid_cm,
        lvpw_cm=lvpw_cm,
        lvid_systole_cm=lvid_systole_cm,
        as_grade=as_grade,
        aortic_opening=float(rng.uniform(*valve.opening)),
        cusp_thickness_mm=float(rng.uniform(*valve.thickness_mm)),
        cusp_calcification=float(rng.uniform(*valve.calcification)),
        apex_roundness=_normal(rng, 2.2, 0.25, 1.8, 2.9),
        widest_at=_normal(rng, 0.62, 0.05, 0.5, 0.75),
        basal_taper=_normal(rng, 0.22, 0.06, 0.08, 0.36),
        a4c_width_factor=_normal(rng, 1.0, 0.04, 0.9, 1.1),
    )


def _normal(rng: np.random.Generator, mean: float, spread: float, low: float, high: float) -> float:
    return float(np.clip(rng.normal(mean, spread), low, high))


def _draw_body(rng: np.random.Generator) -> tuple[Sex, int, float, float]:
    sex: Sex = "F" if rng.random() < 0.48 else "M"
    height_cm = _normal(rng, 163 if sex == "F" else 176, 7, 142, 202)
    weight_kg = _normal(rng, 25.5, 4, 17, 42) * (height_cm / 100) ** 2
    return sex, int(_normal(rng, 60, 17, 19, 95)), round(weight_kg, 1), round(height_cm, 1)


def _draw_stenosis(rng: np.random.Generator, prevalence: Prevalence) -> AorticStenosis:
    share = (prevalence.any_as - prevalence.severe_as) / 3
    fractions = (1 - prevalence.any_as, share, share, share, prevalence.severe_as)
    return tuple(VALVE_BY_GRADE)[int(rng.choice(5, p=fractions))]


def _draw_ef(rng: np.random.Generator, prevalence: Prevalence) -> float:
    """Mostly 50 to 70 %; the low ones are mildly or badly reduced."""
    if rng.random() >= prevalence.low_ef:
        return _normal(rng, 61, 5, 50, 78)
    return _normal(rng, 44, 4, 15, 49.9) if rng.random() < 0.55 else _normal(rng, 29, 7, 15, 49.9)


def _draw_edv(
    rng: np.random.Generator, sex: Sex, weight_kg: float, height_cm: float, ef_percent: float
) -> float:
    """Follows body surface (Mosteller), and grows when the ejection fraction is low."""
    surface_m2 = float(np.sqrt(weight_kg * height_cm / 3600))
    indexed_ml = 58.0 if sex == "F" else 64.0
    dilation = 1 + 0.018 * max(0.0, 52 - ef_percent)
    volume_ml = indexed_ml * surface_m2 * dilation * float(np.exp(rng.normal(0, 0.17)))
    return float(np.clip(volume_ml, *EDV_LIMITS_ML))


def _draw_walls(
    rng: np.random.Generator, as_grade: AorticStenosis, prevalence: Prevalence
) -> tuple[float, float]:
    """Septum and posterior wall; a severe stenosis makes thick walls likely."""
    chance = max(0.6, prevalence.hypertrophy) if as_grade == "severe" else prevalence.hypertrophy
    if rng.random() < chance:
        ivs_cm = _normal(rng, 1.45, 0.2, HYPERTROPHY_THRESHOLD_CM, 2.2)
        return ivs_cm, ivs_cm * float(rng.uniform(0.78, 1.0))
    ivs_cm = _normal(rng, 0.92, 0.12, 0.6, 1.15)
    return ivs_cm, min(1.15, ivs_cm * float(rng.uniform(0.88, 1.08)))


def _draw_diameters(rng: np.random.Generator, edv_ml: float, ef_percent: float) -> tuple[float, float]:
    scale = _normal(rng, 1.0, 0.03, 0.92, 1.08)
    return scale * _diameter_cm(edv_ml), scale * _diameter_cm(edv_ml * (1 - ef_percent / 100))


def _diameter_cm(volume_ml: float) -> float:
    """Give the inner diameter whose Teichholz volume 7 D^3 / (2.4 + D) is the one given."""
    roots = np.roots([7.0, 0.0, -volume_ml, -2.4 * volume_ml])
    return float(roots.real[np.abs(roots.imag) < 1e-9].max())
