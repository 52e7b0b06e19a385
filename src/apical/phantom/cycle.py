"""How the heart beats in one clip: a patient and times come in; volumes, openings and drift go out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apical.phantom.patient import Patient

__all__ = ["Beat", "Cycle", "HeartState", "draw_cycle", "end_diastole"]

Array = npt.NDArray[np.float64]

SHORTEST_BEAT_S = 0.42
ISOVOLUMIC_CONTRACTION_S = 0.05
LONGEST_SYSTOLE = 0.42
"""Of the beat, from the start of contraction to the closing of the aortic valve."""

# Columns of the landmark table, in the order in which they happen.
CONTRACTION, EJECTION, AORTIC_OPEN, AORTIC_CLOSING, RELAXATION = range(5)
FILLING, FILLING_PEAK, DIASTASIS, ATRIAL_KICK, ATRIAL_PEAK = range(5, 10)


class Beat(NamedTuple):
    """The middles of the two plateaus, so that the frame nearest to each has exactly that volume."""

    ed_s: float
    """Volume at its maximum: both valves shut, contraction has begun."""
    es_s: float
    """Volume at its minimum: both valves shut, relaxation has begun."""


class HeartState(NamedTuple):
    """What an anatomy needs to know of each moment; every field is (T,) but the drift, which is (T, 2)."""

    volume_ml: Array
    contraction: Array
    """0 at end-diastole, 1 at end-systole."""
    shortening: Array
    """Fraction of the long axis lost."""
    atrial_volume: Array
    mitral_opening: Array
    aortic_opening: Array
    breathing_mm: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Several beats of one patient. Times are seconds from the start of the clip, shape (T,)."""

    patient: Patient
    duration_s: float
    landmarks_s: Array
    """(beats, 10): when each event of each beat happens; covers the clip on both sides."""
    early_filling: float
    """Share of the stroke volume that comes in before the atrial kick's pause."""
    breath_mm: tuple[float, float]
    breath_period_s: float
    breath_phase: float

    @property
    def beats(self) -> tuple[Beat, ...]:
        """Every beat whose end-diastole and following end-systole both lie inside the clip."""
        marks = self.landmarks_s
        ed_s = (marks[:, CONTRACTION] + marks[:, EJECTION]) / 2
        es_s = (marks[:, RELAXATION] + marks[:, FILLING]) / 2
        inside = (ed_s >= 0) & (es_s <= self.duration_s)
        return tuple(Beat(float(ed), float(es)) for ed, es in zip(ed_s[inside], es_s[inside], strict=True))

    def contraction(self, times_s: Array) -> Array:
        """Share of the stroke volume that has left: 0 at end-diastole, 1 at end-systole."""
        refilled = 1 - self.early_filling
        return self._follow(
            times_s,
            {
                CONTRACTION: 0,
                EJECTION: 0,
                RELAXATION: 1,
                FILLING: 1,
                DIASTASIS: refilled,
                ATRIAL_KICK: refilled * 0.85,
            },
        )

    def volume_ml(self, times_s: Array) -> Array:
        """Give the ventricle's volume."""
        stroke_ml = self.patient.edv_ml - self.patient.esv_ml
        return self.patient.edv_ml - stroke_ml * self.contraction(times_s)

    def mitral_opening(self, times_s: Array) -> Array:
        """0 shut, 1 wide open; opens twice a beat."""
        return self._follow(
            times_s,
            {
                CONTRACTION: 0,
                FILLING: 0,
                FILLING_PEAK: 1,
                DIASTASIS: 0.4,
                ATRIAL_KICK: 0.35,
                ATRIAL_PEAK: 0.75,
            },
        )

    def aortic_opening(self, times_s: Array) -> Array:
        """0 shut, 1 as wide as this patient's cusps can open."""
        return self._follow(
            times_s, {EJECTION: 0, AORTIC_OPEN: 1, AORTIC_CLOSING: 0.85, RELAXATION: 0, ATRIAL_PEAK: 0}
        )

    def atrial_volume(self, times_s: Array) -> Array:
        """0 at the atrium's smallest, 1 at its largest; it fills while the ventricle empties."""
        return self._follow(
            times_s,
            {CONTRACTION: 0, EJECTION: 0.05, RELAXATION: 1, FILLING: 1, DIASTASIS: 0.45, ATRIAL_KICK: 0.4},
        )

    def long_axis_shortening(self, times_s: Array) -> Array:
        """Fraction of the long axis that is lost."""
        return self.patient.long_axis_shortening * self.contraction(times_s)

    def breathing_mm(self, times_s: Array) -> Array:
        """How far breathing has moved the heart: (T, 2), x and y."""
        swing = np.sin(2 * np.pi * times_s / self.breath_period_s + self.breath_phase)
        drift: Array = np.multiply.outer(swing, np.asarray(self.breath_mm))
        return drift

    def state(self, times_s: Array) -> HeartState:
        """All of the above at once."""
        times_s = np.asarray(times_s, dtype=np.float64)
        return HeartState(
            volume_ml=self.volume_ml(times_s),
            contraction=self.contraction(times_s),
            shortening=self.long_axis_shortening(times_s),
            atrial_volume=self.atrial_volume(times_s),
            mitral_opening=self.mitral_opening(times_s),
            aortic_opening=self.aortic_opening(times_s),
            breathing_mm=self.breathing_mm(times_s),
        )

    def _follow(self, times_s: Array, values: dict[int, float]) -> Array:
        """Pass through the value at each landmark, level there, eased in between."""
        knots_s = self.landmarks_s[:, list(values)].ravel()
        levels = np.tile(np.fromiter(values.values(), dtype=np.float64), len(self.landmarks_s))
        before = np.clip(np.searchsorted(knots_s, times_s, side="right") - 1, 0, len(knots_s) - 2)
        share = np.clip((times_s - knots_s[before]) / (knots_s[before + 1] - knots_s[before]), 0, 1)
        return levels[before] + (levels[before + 1] - levels[before]) * share**2 * (3 - 2 * share)


def end_diastole(patient: Patient) -> HeartState:
    """Give the one moment in which sizes are drawn: relaxed, full, all valves shut, no breath; T is 1."""
    zero = np.zeros(1)
    return HeartState(np.full(1, patient.edv_ml), zero, zero, zero, zero, zero, np.zeros((1, 2)))


def draw_cycle(patient: Patient, clip: int, duration_s: float) -> Cycle:
    """Draw the beats of clip number `clip`, which starts anywhere in a beat.

    A clip that is long enough for an end-diastole and the end-systole after it has them.
    """
    rng = patient.generator("cycle", clip)
    mean_s = 60 / (patient.heart_rate_bpm * rng.uniform(0.96, 1.04))
    count = 4 + int(np.ceil(duration_s / SHORTEST_BEAT_S))
    lengths_s = np.maximum(
        SHORTEST_BEAT_S, mean_s * (1 + patient.rr_variability * rng.standard_normal(count))
    )
    landmarks_s = _landmarks(lengths_s)
    room_s = duration_s - landmarks_s[1, FILLING] + landmarks_s[1, CONTRACTION]
    wait_s = rng.uniform(0, min(lengths_s[0], room_s) if room_s > 0 else lengths_s[0])
    return Cycle(
        patient=patient,
        duration_s=duration_s,
        landmarks_s=landmarks_s + (wait_s - landmarks_s[1, CONTRACTION]),
        early_filling=float(rng.uniform(0.6, 0.78)),
        breath_mm=(float(rng.normal(0, 0.6)), float(rng.uniform(0.5, 2.5))),
        breath_period_s=float(rng.uniform(3, 5.5)),
        breath_phase=float(rng.uniform(0, 2 * np.pi)),
    )


def _landmarks(lengths_s: Array) -> Array:
    """When each event happens, (beats, 10), for beats of these lengths one after the other."""
    starts_s = np.concatenate([[0.0], np.cumsum(lengths_s)[:-1]])
    # Ejection gets shorter as the rate goes up (Weissler's regression), but never eats the whole beat.
    systole_s = np.minimum(
        ISOVOLUMIC_CONTRACTION_S + 0.413 - 0.0017 * 60 / lengths_s, LONGEST_SYSTOLE * lengths_s
    )
    diastole_s = lengths_s - systole_s
    relaxation_s = np.minimum(0.075, 0.2 * diastole_s)
    early_s = np.minimum(0.20, 0.4 * diastole_s)
    kick_s = np.minimum(0.12, 0.25 * diastole_s)
    columns = (
        np.zeros_like(lengths_s),
        np.full_like(lengths_s, ISOVOLUMIC_CONTRACTION_S),
        np.full_like(lengths_s, ISOVOLUMIC_CONTRACTION_S + 0.04),
        systole_s - 0.05,
        systole_s,
        systole_s + relaxation_s,
        systole_s + relaxation_s + 0.4 * early_s,
        systole_s + relaxation_s + early_s,
        lengths_s - kick_s,
        lengths_s - 0.5 * kick_s,
    )
    landmarks_s: Array = np.stack(columns, axis=1) + starts_s[:, None]
    return landmarks_s
