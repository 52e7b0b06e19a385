"""The apical four-chamber view: the left heart on the image's right, the right heart beside it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from apical.phantom.anatomy._apical import Apical
from apical.phantom.anatomy._tissue import Fill, Grids, Line
from apical.phantom.anatomy._valve import atrioventricular_valve
from apical.phantom.anatomy._wall import around, band, shell, side_points
from apical.phantom.anatomy.base import BLOOD, MYOCARDIUM, PERICARDIUM, THIN_WALL, Array, leaflet_material
from apical.phantom.cycle import Cycle, HeartState
from apical.phantom.patient import Patient

__all__ = ["FourChamber"]

LEVELS = np.linspace(0, 1, 25)
"""Along a right chamber: the ventricle from apex to tricuspid plane, the atrium from there to its roof."""
RIGHT_APEX_THETA, TRICUSPID_THETA = -0.42, -0.965
"""Where on the septum the right ventricle begins and ends: its valve sits a little nearer to the apex."""


class FourChamber(Apical):
    """Adds right ventricle, right atrium, tricuspid valve and atrial septum."""

    echo_view: ClassVar[str] = "a4c"
    width_factor_power: ClassVar[int] = 1

    def __init__(self, patient: Patient, cycle: Cycle, clip: int) -> None:
        super().__init__(patient, cycle, clip)
        form = self.form
        self._rv_width_mm = float(np.clip(form.normal(34, 3.5), 26, 44))
        self._rv_wall_mm = float(form.uniform(3, 5))
        self._rv_fullness = float(form.uniform(0.65, 0.9))
        self._ra_bulge = float(form.uniform(0.15, 0.4))
        self._moderator_band = float(form.uniform(0.3, 0.5))

    def grids(self, state: HeartState) -> Grids:
        """Give the left heart and the right."""
        left = super().grids(state)
        ventricle = self._right_ventricle(left["lv_wall"][:, 1], state)
        atrium = self._right_atrium(ventricle[:, :, -1], left["la_wall"][:, 0], state)
        free, lateral_wall = ventricle[:, 1], atrium[:, 1]
        outer = shell(
            free, self._rv_wall_mm * (1 + 0.3 * state.contraction[:, None]), ventricle[:, 0].mean(axis=1)
        )
        return {
            **left,
            "rv_blood": ventricle,
            "rv_wall": band(free, outer),
            "rv_pericardium": band(outer, outer - 1.5 * self.lateral),
            "ra_blood": atrium,
            "ra_wall": band(lateral_wall, shell(lateral_wall, 2.5, atrium[:, 0].mean(axis=1))),
            "atrial_septum": band(self._septal_atrium(left["la_wall"][:, 0]), atrium[:, 0]),
            "moderator_band": self._band_across(ventricle),
            **self._tricuspid_valve(ventricle[:, :, -1], state),
        }

    def _right_ventricle(self, epi: Array, state: HeartState) -> Array:
        """Grid (T, 2, P, 2): the septum's right side, and the free wall, whose base comes down further."""
        septum = side_points(epi, RIGHT_APEX_THETA, TRICUSPID_THETA)
        width_mm = self._rv_width_mm * (1 - 0.2 * state.contraction)
        across = np.multiply.outer(width_mm, np.sin(np.pi / 2 * LEVELS) ** self._rv_fullness)
        along = np.multiply.outer(6 * state.shortening / 0.15 * state.contraction, LEVELS)
        free = septum - across[..., None] * self.lateral - along[..., None] * self.axis
        return band(septum, free)

    def _septal_atrium(self, left_atrium: Array) -> Array:
        """Give the left atrium's septal side, from the mitral plane up to near the roof."""
        return side_points(left_atrium, -1.0, -0.4)

    def _right_atrium(self, plane: Array, left_atrium: Array, state: HeartState) -> Array:
        """Grid (T, 2, P, 2) from the tricuspid plane (T, 2, 2): the septal side, and the lateral one."""
        left = self._septal_atrium(left_atrium)
        thin_out = np.clip(LEVELS / 0.35, 0, 1)[:, None] ** 0.7
        hinge_gap = (plane[:, 0] - left[:, 0])[:, None]
        septal = left + hinge_gap * (1 - thin_out) - 4 * self.lateral * thin_out
        bulge = self._ra_bulge + 0.12 * state.atrial_volume
        fullness = (1 + np.multiply.outer(bulge, LEVELS)) * (1 - LEVELS**2.6) ** (1 / 2.2)
        return band(septal, septal + fullness[..., None] * (plane[:, 1] - plane[:, 0])[:, None])

    def _band_across(self, ventricle: Array) -> Array:
        """Give a muscle strand from septum to free wall near the right apex."""
        start = int(self._moderator_band * len(LEVELS))
        share = np.linspace(0, 1, 9)[:, None]
        strand = ventricle[:, 0, start, None] * (1 - share) + ventricle[:, 1, start + 3, None] * share
        return band(strand - 1.2 * self.axis, strand + 1.2 * self.axis)

    def _tricuspid_valve(self, plane: Array, state: HeartState) -> dict[str, Array]:
        return atrioventricular_valve(
            "tricuspid", plane[:, 1], plane[:, 0], -self.axis, state.mitral_opening, meeting=0.55
        )

    def outlines(self, grids: Grids) -> dict[str, Array]:
        """Give the left heart's and the right heart's, each chamber closed by its valve's plane."""
        right = {name: around(grids[f"{name}_blood"]) for name in ("rv", "ra")}
        return {**super().outlines(grids), **right}

    def fills(self) -> list[Fill]:
        """Give the left heart's materials and the right heart's."""
        return [
            *super().fills(),
            Fill("rv_blood", BLOOD),
            Fill("rv_wall", MYOCARDIUM),
            Fill("rv_pericardium", PERICARDIUM),
            Fill("ra_blood", BLOOD),
            Fill("ra_wall", THIN_WALL),
            Fill("atrial_septum", THIN_WALL),
            Fill("moderator_band", MYOCARDIUM),
            Fill("tricuspid_first", leaflet_material()),
            Fill("tricuspid_second", leaflet_material()),
        ]

    def lines(self) -> list[Line]:
        """Give the left heart's interfaces and the right heart's."""
        return [
            *super().lines(),
            Line("rv_wall", 0, 4),
            Line("rv_pericardium", 0, 10),
            Line("ra_wall", 0, 4),
            Line("atrial_septum", 1, 4),
            Line("tricuspid_first", 0, 8),
            Line("tricuspid_second", 0, 8),
        ]
