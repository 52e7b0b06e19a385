"""The parasternal long-axis view: the left ventricle lies across, the aortic root on its right."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from apical.phantom.anatomy._cavity import THETA, BagShape, LongAxisCavity, bullet
from apical.phantom.anatomy._root import AorticRoot
from apical.phantom.anatomy._tissue import Fill, Grids, Line
from apical.phantom.anatomy._valve import atrioventricular_valve
from apical.phantom.anatomy._wall import (
    WALL_GAIN,
    around,
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
    cusp_material,
    leaflet_material,
)
from apical.phantom.cycle import Cycle, HeartState, end_diastole
from apical.phantom.patient import Patient

__all__ = ["ParasternalLongAxis"]

CALIPER_COLUMN = 40
"""Columns from the apex to where walls are measured, just below the tips of the open mitral leaflets."""
APEX_COLUMN = len(THETA) // 2
CALIPER_LEVEL = THETA[APEX_COLUMN + CALIPER_COLUMN : APEX_COLUMN + CALIPER_COLUMN + 1] ** 2
BASE_SHARE = 0.62
"""Of the shortening that is seen here: the plane is fixed to the chest, the heart slides through it."""


class ParasternalLongAxis(Anatomy):
    """The septum is the first side, the posterior wall the second."""

    echo_view: ClassVar[str] = "plax"

    def __init__(self, patient: Patient, cycle: Cycle, clip: int) -> None:
        super().__init__(patient, cycle, clip)
        form = self.form
        tilt, rise = np.deg2rad([form.normal(-4, 4), form.normal(-17, 4)])
        self.axis, self.lateral = _unit(tilt)
        self.downstream, self.across_root = _unit(tilt + rise)
        self._annulus_mm = float(form.normal(21, 1.5))
        self._rv_width_mm = float(form.uniform(15, 24))
        self._rv_wall_mm = float(form.uniform(3.5, 5))
        self._atrium_mm = float(np.clip(form.normal(35, 4), 27, 46))
        self._papillary_reach = float(form.uniform(0.1, 0.2))
        self._draw_ventricle()

    def _draw_ventricle(self) -> None:
        patient, form = self.patient, self.form
        self.shape = BagShape(
            widest_at=patient.widest_at,
            roundness=patient.apex_roundness,
            base=1 - 0.5 * patient.basal_taper,
            asymmetry=float(form.normal(0.0, 0.04)),
        )
        above_mm = form.uniform(13, 20) + self._rv_wall_mm + self._rv_width_mm + 10 * patient.ivs_cm
        base_mm = np.array([form.normal(20, 4), above_mm + 5 * patient.lvid_cm])
        self.apex_mm = base_mm - patient.lv_length_mm * self.axis
        self._relaxed_base_mm = base_mm
        self._outward = wall_outward(self.axis, self.lateral, 10 * patient.ivs_cm, 10 * patient.lvpw_cm)
        relaxed = self.ventricle(end_diastole(patient))
        self._wall_mm2 = wall_area_mm2(relaxed.outline(), self._outward)[0]

    def ventricle(self, state: HeartState) -> LongAxisCavity:
        """Give the cavity, as wide at the calipers as this moment wants it."""
        systolic, diastolic = 10 * self.patient.lvid_systole_cm, 10 * self.patient.lvid_cm
        diameter_mm = diastolic + (systolic - diastolic) * state.contraction
        unit_mm = 2 * self.shape.half_width(CALIPER_LEVEL, state.contraction)[:, 0]
        return LongAxisCavity(
            shape=self.shape,
            apex_mm=self.apex_mm + state.breathing_mm,
            axis=self.axis,
            lateral=self.lateral,
            length_mm=self.patient.lv_length_mm * (1 - BASE_SHARE * state.shortening),
            scale_mm=diameter_mm / unit_mm,
            contraction=state.contraction,
        )

    def wall(self, state: HeartState) -> Array:
        """Endocardium and epicardium, (T, 2, P, 2)."""
        endo = self.ventricle(state).outline()
        return band(endo, thicken(endo, self._outward, self._wall_mm2 * (1 + WALL_GAIN * state.contraction)))

    def grids(self, state: HeartState) -> Grids:
        """Left ventricle, root, left atrium, the strip of right ventricle, what lies behind."""
        wall = self.wall(state)
        endo, epi = wall[:, 0], wall[:, 1]
        root = self._root(endo, epi)
        tube = root.walls()
        posterior = side_points(epi, 0.2, 1.0)
        swelling = bump(side_points(endo, 0.55, 0.74), side_points(endo, -0.55, -0.74), self._papillary_reach)
        return {
            "lv_wall": wall,
            "lv_blood": halves(endo),
            **tube,
            **root.cusps(state.aortic_opening * self.patient.aortic_opening, self.patient.cusp_thickness_mm),
            **self._left_atrium(tube["aorta_posterior"][:, 1], endo[:, -1], state),
            **self._right_ventricle(epi, tube["aorta_anterior"][:, 1], state),
            **self._mitral_valve(root.posterior_mm, endo[:, -1], state),
            "papillary": swelling,
            "pericardium": band(posterior, posterior + 2.2 * self.lateral),
            **self._descending_aorta(state),
        }

    def _root(self, endo: Array, epi: Array) -> AorticRoot:
        top, bottom = endo[:, 0], endo[:, -1]
        width_mm = np.minimum(self._annulus_mm, 0.52 * np.linalg.norm(bottom - top, axis=1))
        return AorticRoot(
            top, top + width_mm[:, None] * self.lateral, epi[:, 0], self.downstream, self.across_root
        )

    def _left_atrium(self, behind_aorta: Array, annulus_end: Array, state: HeartState) -> dict[str, Array]:
        """Hangs from the aorta's posterior wall, begins at the mitral annulus, closes at the right."""
        depth_mm = self._atrium_mm * (0.94 + 0.16 * state.atrial_volume)
        opening_mm = np.linalg.norm(annulus_end - behind_aorta[:, 0], axis=1)
        levels = np.linspace(1, 0, behind_aorta.shape[1])
        depths = depth_mm[:, None] * bullet(levels, 0.5, 2.3, (opening_mm / depth_mm)[:, None])
        floor = behind_aorta + depths[..., None] * self.lateral
        blood = band(behind_aorta, floor)
        return {"la_blood": blood, "la_wall": band(floor, shell(floor, 2.8, behind_aorta.mean(axis=1)))}

    def _right_ventricle(self, epi: Array, aorta: Array, state: HeartState) -> dict[str, Array]:
        """Give a strip between the chest and the septum, which goes on over the aorta as outflow tract."""
        floor = np.concatenate([side_points(epi, -0.45, -1.0), aorta[:, 1:18]], axis=1)
        share = np.clip(np.linspace(0, 3.2, floor.shape[1]), 0, 1)
        width_mm = self._rv_width_mm * (1 - 0.15 * state.contraction)[:, None] * np.sqrt(share * (2 - share))
        climb_mm = np.clip((epi[:, :1] - floor) @ self.lateral, 0, None)
        climb_mm[:, :25] = (
            0  # the septum may arch as it likes; only the aorta takes room from the outflow tract
        )
        roof = floor - np.maximum(width_mm - 0.8 * climb_mm, 0.3 * width_mm)[..., None] * self.lateral
        chest = roof - self._rv_wall_mm * (1 + 0.25 * state.contraction)[:, None, None] * self.lateral
        return {"rv_blood": band(floor, roof), "rv_wall": band(roof, chest)}

    def _mitral_valve(self, anterior: Array, posterior: Array, state: HeartState) -> dict[str, Array]:
        return atrioventricular_valve(
            "mitral",
            anterior,
            posterior,
            -self.axis,
            state.mitral_opening,
            meeting=0.62,
            tenting=0.4,
            reaches=(1.05, 0.7),
            leans=(-0.25, -0.05),
        )

    def _descending_aorta(self, state: HeartState) -> dict[str, Array]:
        """Give a round vessel behind the groove between ventricle and atrium."""
        ventricle_mm = 5 * self.patient.lvid_cm + 10 * self.patient.lvpw_cm
        atrium_mm = self._annulus_mm + 1.1 * self._atrium_mm - 4.5 * self.patient.lvid_cm
        behind_mm = max(ventricle_mm, atrium_mm) + 17
        centre = self._relaxed_base_mm + behind_mm * self.lateral + 6 * self.axis + 0.5 * state.breathing_mm
        angle = np.linspace(0, 2 * np.pi, 33)
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        inner = centre[:, None] + 10 * ring
        return {
            "descending_blood": band(np.broadcast_to(centre[:, None], inner.shape), inner),
            "descending_wall": band(inner, inner + 1.8 * ring),
        }

    def outlines(self, grids: Grids) -> dict[str, Array]:
        """Left ventricle, its epicardium, left atrium, aortic root and the strip of right ventricle."""
        wall = grids["lv_wall"]
        round_grids = {"la": "la_blood", "aorta": "aorta_blood", "rv": "rv_blood"}
        others = {name: around(grids[grid]) for name, grid in round_grids.items()}
        return {"lv": wall[:, 0], "epi": wall[:, 1], **others}

    def fills(self) -> list[Fill]:
        """Blood, muscle, thin walls and valves."""
        blood = ("lv_blood", "aorta_blood", "la_blood", "rv_blood", "descending_blood")
        thin = ("aorta_anterior", "aorta_posterior", "la_wall", "descending_wall")
        return [
            *(Fill(grid, BLOOD) for grid in blood),
            *(Fill(grid, MYOCARDIUM) for grid in ("lv_wall", "rv_wall", "papillary")),
            *(Fill(grid, THIN_WALL) for grid in thin),
            *(Fill(f"mitral_{side}", leaflet_material()) for side in ("first", "second")),
            *(Fill(f"cusp_{side}", cusp_material(self.patient)) for side in ("anterior", "posterior")),
            Fill("pericardium", PERICARDIUM),
        ]

    def lines(self) -> list[Line]:
        """Every border that a beam from above meets squarely."""
        cusp_db = 7 + 7 * self.patient.cusp_calcification
        return [
            *(Line("lv_wall", row, 5) for row in (0, 1)),
            *(Line(f"aorta_{side}", row, 8) for side in ("anterior", "posterior") for row in (0, 1)),
            *(Line(f"mitral_{side}", 0, 8) for side in ("first", "second")),
            *(Line(f"cusp_{side}", 0, cusp_db) for side in ("anterior", "posterior")),
            *(Line("rv_wall", row, 5) for row in (0, 1)),
            Line("la_wall", 0, 5),
            Line("la_wall", 1, 12),
            Line("descending_wall", 0, 6),
            Line("pericardium", 0, 16),
        ]

    def calipers(self, time_s: float) -> dict[str, Array]:
        """End points (x1, y1, x2, y2) of septum, cavity and posterior wall along one line across the axis."""
        endo, epi = self.wall(self.cycle.state(np.atleast_1d(time_s)))[0]
        septum, posterior = APEX_COLUMN - CALIPER_COLUMN, APEX_COLUMN + CALIPER_COLUMN
        ends = {
            "ivs": (epi[septum], endo[septum]),
            "lvid": (endo[septum], endo[posterior]),
            "lvpw": (endo[posterior], epi[posterior]),
        }
        return {name: np.concatenate(pair) for name, pair in ends.items()}


def _unit(angle: float) -> tuple[Array, Array]:
    """Give a direction to the right, turned clockwise by `angle`, and the one a quarter turn further down."""
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    return np.array([cosine, sine]), np.array([-sine, cosine])
