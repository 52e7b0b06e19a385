"""What the two apical views share: the left ventricle from its apex, the mitral valve, the left atrium."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from apical.phantom.anatomy._cavity import DISC_LEVELS, THETA, BagShape, LongAxisCavity, sac
from apical.phantom.anatomy._tissue import Fill, Grids, Line
from apical.phantom.anatomy._valve import atrioventricular_valve
from apical.phantom.anatomy._wall import (
    WALL_GAIN,
    band,
    bump,
    halves,
    shell,
    side_points,
    thicken,
    wall_area_mm2,
    wall_outward,
)
from apical.phantom.anatomy.base import (
    BLOOD,
    MYOCARDIUM,
    PERICARDIUM,
    THIN_WALL,
    Anatomy,
    Array,
    leaflet_material,
)
from apical.phantom.cycle import Cycle, HeartState, end_diastole
from apical.phantom.patient import Patient

__all__ = ["Apical"]


class Apical(Anatomy):
    """Left heart seen from the apex; the first side is the image's left."""

    width_factor_power: ClassVar[int]
    """1 where the ventricle is wider by the patient's factor, -1 where it is narrower."""

    def __init__(self, patient: Patient, cycle: Cycle, clip: int) -> None:
        super().__init__(patient, cycle, clip)
        self._draw_ventricle()
        self._draw_atrium()
        relaxed = self.ventricle(end_diastole(patient))
        self._wall_mm2 = wall_area_mm2(relaxed.outline(), self._wall_outward)[0]
        self._relaxed_base_mm = relaxed.at(np.ones(1), 0)[0, 0]

    def _draw_ventricle(self) -> None:
        patient, form = self.patient, self.form
        tilt = np.deg2rad(form.normal(6, 4))
        self.axis = np.array([np.sin(tilt), np.cos(tilt)])
        self.lateral = np.array([np.cos(tilt), -np.sin(tilt)])
        self.apex_mm = np.array([form.normal(7, 4), form.uniform(17, 30)])
        self.shape = BagShape(
            widest_at=patient.widest_at,
            roundness=patient.apex_roundness,
            base=1 - patient.basal_taper,
            asymmetry=float(form.normal(0.05, 0.05)),
        )
        self.width_factor = patient.a4c_width_factor**self.width_factor_power
        self._wall_outward = wall_outward(self.axis, self.lateral, 10 * patient.ivs_cm, 10 * patient.lvpw_cm)

    def _draw_atrium(self) -> None:
        form = self.form
        self._roof_mm = self.axis * form.normal(42, 4) + self.lateral * form.normal(1, 2)
        """From the relaxed mitral plane."""
        self._atrium_half_mm = float(np.clip(form.normal(18.5, 2), 15, 25))
        self._papillary_reach = float(form.uniform(0.08, 0.18))

    def ventricle(self, state: HeartState) -> LongAxisCavity:
        """Give the cavity; its apical wall stays put while the base comes down to it."""
        length_mm = self.patient.lv_length_mm * (1 - state.shortening)
        volume_ml = state.volume_ml * self.width_factor**2
        apical_wall_mm = np.linalg.norm(self._wall_outward[len(THETA) // 2]) * (1 + 0.3 * state.contraction)
        return LongAxisCavity(
            shape=self.shape,
            apex_mm=self.apex_mm + apical_wall_mm[:, None] * self.axis + state.breathing_mm,
            axis=self.axis,
            lateral=self.lateral,
            length_mm=length_mm,
            scale_mm=LongAxisCavity.scale_for_volume(self.shape, state.contraction, length_mm, volume_ml),
            contraction=state.contraction,
        )

    def grids(self, state: HeartState) -> Grids:
        """Give the left heart."""
        cavity = self.ventricle(state)
        endo = cavity.outline()
        epi = thicken(endo, self._wall_outward, self._wall_mm2 * (1 + WALL_GAIN * state.contraction))
        atrium = self._atrium(cavity, state)
        return {
            "lv_wall": band(endo, epi),
            "lv_blood": halves(endo),
            "la_blood": halves(atrium),
            "la_wall": band(atrium, shell(atrium, 2.5, atrium.mean(axis=1))),
            **self._mitral_valve(cavity, state),
            **self._papillary(endo),
            **self._pericardium(epi),
        }

    def _atrium(self, cavity: LongAxisCavity, state: HeartState) -> Array:
        """Outline (T, P, 2) from one end of the annulus over the roof to the other."""
        roof = self._relaxed_base_mm + self._roof_mm + state.breathing_mm
        half_mm = self._atrium_half_mm * (1 + 0.16 * state.atrial_volume)
        return sac(roof, cavity.at(np.ones(2), np.array([-1.0, 1.0])), half_mm, self.lateral)

    def _mitral_valve(self, cavity: LongAxisCavity, state: HeartState) -> dict[str, Array]:
        ends = cavity.at(np.ones(2), np.array([-1.0, 1.0]))
        return atrioventricular_valve(
            "mitral", ends[:, 0], ends[:, 1], -self.axis, state.mitral_opening, meeting=0.58
        )

    def _papillary(self, endo: Array) -> dict[str, Array]:
        """Give a bump on the second side's inner wall."""
        return {"papillary": self._swelling(endo, 0.55, 0.8)}

    def _swelling(self, endo: Array, start: float, stop: float) -> Array:
        return bump(side_points(endo, start, stop), side_points(endo, -start, -stop), self._papillary_reach)

    def _pericardium(self, epi: Array) -> dict[str, Array]:
        """Give a bright layer on the second side's outer wall."""
        outer = side_points(epi, 0.25, 1.0)
        return {"pericardium": band(outer, outer + 1.8 * self.lateral)}

    def outlines(self, grids: Grids) -> dict[str, Array]:
        """Left ventricle, its epicardium and the left atrium, each closed by the mitral plane."""
        wall = grids["lv_wall"]
        return {"lv": wall[:, 0], "epi": wall[:, 1], "la": grids["la_wall"][:, 0]}

    def fills(self) -> list[Fill]:
        """Give the left heart's materials."""
        return [
            Fill("lv_wall", MYOCARDIUM),
            Fill("lv_blood", BLOOD),
            Fill("la_blood", BLOOD),
            Fill("la_wall", THIN_WALL),
            Fill("mitral_first", leaflet_material()),
            Fill("mitral_second", leaflet_material()),
            Fill("papillary", MYOCARDIUM),
            Fill("pericardium", PERICARDIUM),
        ]

    def lines(self) -> list[Line]:
        """Give the left heart's interfaces."""
        return [
            Line("lv_wall", 0, 4),
            Line("lv_wall", 1, 3),
            Line("la_wall", 0, 4),
            Line("mitral_first", 0, 8),
            Line("mitral_second", 0, 8),
            Line("pericardium", 0, 14),
        ]

    def long_axis_and_chords(self, time_s: float) -> Array:
        """Give the axis, then the chords that the volume's discs stand on: (21, 4)."""
        cavity = self.ventricle(self.cycle.state(np.atleast_1d(time_s)))
        axis = cavity.at(np.array([0.0, 1.0]), 0).reshape(1, 4)
        chords = np.concatenate([cavity.at(DISC_LEVELS, -1), cavity.at(DISC_LEVELS, 1)], axis=-1)[0]
        return np.concatenate([axis, chords])
