"""The parasternal short-axis view through the papillary muscles: the left ventricle as a ring."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from apical.phantom.anatomy._tissue import Fill, Grids, Line
from apical.phantom.anatomy._wall import around, band, bump, enclosed_mm2, shell, thicken, wall_area_mm2
from apical.phantom.anatomy.base import BLOOD, MYOCARDIUM, PERICARDIUM, Anatomy, Array
from apical.phantom.cycle import Cycle, HeartState, end_diastole
from apical.phantom.patient import Patient

__all__ = ["ParasternalShortAxis"]

ANGLE: Array = np.linspace(0, 2 * np.pi, 97)
"""Round the ring, clockwise from the image's right; the septum is at half a turn."""
RING: Array = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)
AREA_LENGTH = 5 / 6
"""V = 5/6 A L: the volume of a bullet from its short-axis area and its length."""


class ParasternalShortAxis(Anatomy):
    """The cavity's area follows the volume by area and length."""

    echo_view: ClassVar[str] = "psax"

    def __init__(self, patient: Patient, cycle: Cycle, clip: int) -> None:
        super().__init__(patient, cycle, clip)
        form = self.form
        second, third = form.normal(0, 0.03), form.normal(0, 0.012)
        phases = form.uniform(0, 2 * np.pi, 2)
        roundness = 1 + second * np.cos(2 * ANGLE + phases[0]) + third * np.cos(3 * ANGLE + phases[1])
        self._unit_ring = RING * roundness[:, None]
        self._torsion = float(form.uniform(0.04, 0.12))
        self._rv_width_mm = float(form.uniform(16, 25))
        self._rv_wall_mm = float(form.uniform(3, 5))
        self._papillary_reach = form.uniform(0.28, 0.42, 2)
        septal = 0.5 - 0.5 * np.cos(ANGLE)
        thickness_mm = 10 * (patient.lvpw_cm + (patient.ivs_cm - patient.lvpw_cm) * septal)
        self._outward = RING * thickness_mm[:, None]
        relaxed = end_diastole(patient)
        self._wall_mm2 = wall_area_mm2(self._scaled_ring(relaxed), self._outward)[0]
        top_mm = form.uniform(14, 20) + 0.5 * self._rv_width_mm - self._scaled_ring(relaxed)[0, :, 1].min()
        self.centre_mm = np.array([form.normal(8, 4), top_mm + 10 * patient.ivs_cm])

    def _scaled_ring(self, state: HeartState) -> Array:
        """Give the endocardium about its centre, untwisted, with the area that the volume wants."""
        length_mm = self.patient.lv_length_mm * (1 - state.shortening)
        area_mm2 = 1000 * state.volume_ml / (AREA_LENGTH * length_mm)
        scale = np.sqrt(area_mm2 / np.abs(enclosed_mm2(self._unit_ring)))
        ring: Array = scale[:, None, None] * self._unit_ring
        return ring

    def wall(self, state: HeartState) -> Array:
        """Endocardium and epicardium, (T, 2, P, 2), in place and twisted."""
        endo = self._scaled_ring(state)
        rings = band(endo, thicken(endo, self._outward, np.full(len(endo), self._wall_mm2)))
        angle = self._torsion * state.contraction
        cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
        turned = np.stack(
            [rings[..., 0] * cosine - rings[..., 1] * sine, rings[..., 0] * sine + rings[..., 1] * cosine],
            axis=-1,
        )
        shift = np.multiply.outer(state.contraction, [-1.0, -1.5]) + state.breathing_mm
        placed: Array = turned + self.centre_mm + shift[:, None, None]
        return placed

    def grids(self, state: HeartState) -> Grids:
        """Give the ring, its muscles, the right ventricle's crescent."""
        wall = self.wall(state)
        endo, epi = wall[:, 0], wall[:, 1]
        centre = endo[:, :-1].mean(axis=1)[:, None]
        crescent = self._crescent(epi, state)
        outer = epi[:, :36]
        return {
            "lv_wall": wall,
            "lv_blood": band(np.broadcast_to(centre, endo.shape), endo),
            "papillary_lateral": bump(endo[:, 3:14], centre, self._papillary_reach[0]),
            "papillary_medial": bump(endo[:, 31:42], centre, self._papillary_reach[1]),
            "rv_blood": crescent,
            "rv_wall": band(
                crescent[:, 1],
                shell(
                    crescent[:, 1], self._rv_wall_mm * (1 + 0.3 * state.contraction[:, None]), centre[:, 0]
                ),
            ),
            "pericardium": band(outer, outer + 1.8 * RING[:36]),
        }

    def _crescent(self, epi: Array, state: HeartState) -> Array:
        """Grid (T, 2, P, 2): the septum's right side and the free wall around it."""
        septum = epi[:, 34:74]
        share = np.linspace(0, 1, septum.shape[1])
        width = np.multiply.outer(1 - 0.28 * state.contraction, np.sin(np.pi * share) ** 0.75)
        return band(septum, septum + self._rv_width_mm * width[..., None] * RING[34:74])

    def outlines(self, grids: Grids) -> dict[str, Array]:
        """Left ventricle, its epicardium and the right ventricle."""
        wall = grids["lv_wall"][:, :, :-1]  # the ring's last point is its first
        return {"lv": wall[:, 0], "epi": wall[:, 1], "rv": around(grids["rv_blood"])}

    def fills(self) -> list[Fill]:
        """Blood, muscle and pericardium."""
        muscle = ("lv_wall", "papillary_lateral", "papillary_medial", "rv_wall")
        return [
            *(Fill(grid, MYOCARDIUM) for grid in muscle),
            *(Fill(grid, BLOOD) for grid in ("lv_blood", "rv_blood")),
            Fill("pericardium", PERICARDIUM),
        ]

    def lines(self) -> list[Line]:
        """Give the ring's borders, the free wall's and the pericardium."""
        return [
            *(Line("lv_wall", row, 5) for row in (0, 1)),
            *(Line("rv_wall", row, 5) for row in (0, 1)),
            *(Line(f"papillary_{side}", 1, 3) for side in ("lateral", "medial")),
            Line("pericardium", 0, 14),
        ]
