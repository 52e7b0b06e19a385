"""The parasternal short-axis view at the aortic valve: three cusps seen from above, chambers around them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from apical.phantom.anatomy._tissue import Fill, Grids, Line
from apical.phantom.anatomy._valve import ribbon
from apical.phantom.anatomy._wall import around, band, shell
from apical.phantom.anatomy.base import (
    BLOOD,
    MYOCARDIUM,
    THIN_WALL,
    Anatomy,
    Array,
    cusp_material,
)
from apical.phantom.cycle import Cycle, HeartState
from apical.phantom.patient import Patient

__all__ = ["AorticShortAxis"]

ANGLE: Array = np.linspace(0, 2 * np.pi, 65)
RING: Array = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)
ALONG_EDGE: Array = np.linspace(-1, 1, 21)
CUSPS = ("left", "right", "non")
OUTFLOW: Array = np.deg2rad(np.linspace(185, 350, 41))
"""The right ventricle's outflow wraps the root from the image's left over the top."""


class AorticShortAxis(Anatomy):
    """No left ventricle in view, so its outlines are the root's and those of the chambers around it."""

    echo_view: ClassVar[str] = "psax"

    def __init__(self, patient: Patient, cycle: Cycle, clip: int) -> None:
        super().__init__(patient, cycle, clip)
        form = self.form
        self._radius_mm = float(form.normal(14.5, 1.2))
        self._rv_width_mm = float(form.uniform(15, 22))
        self.centre_mm = np.array(
            [form.normal(2, 4), form.uniform(14, 20) + 5 + self._rv_width_mm + self._radius_mm]
        )
        self._commissure = np.deg2rad(30 + form.normal(0, 8))
        self._left_atrium_mm = np.array([form.uniform(22, 28), form.uniform(15, 20)])
        self._right_atrium_mm = np.array([form.uniform(14, 17), form.uniform(18, 23)])

    def grids(self, state: HeartState) -> Grids:
        """Root, cusps, outflow tract, both atria."""
        centre = self.centre_mm + np.multiply.outer(state.contraction, [0.5, -4.0]) + state.breathing_mm
        rim = centre[:, None] + self._radius_mm * RING
        return {
            "aorta_blood": band(np.broadcast_to(centre[:, None], rim.shape), rim),
            "aorta_wall": band(rim, rim + 2.3 * RING),
            **self._cusps(centre, state.aortic_opening * self.patient.aortic_opening),
            **self._outflow(centre, state),
            **self._atria(centre, state),
        }

    def _cusps(self, centre: Array, opening: Array) -> dict[str, Array]:
        """Free edges: shut, they run along the spokes from commissure to centre; open, along the wall."""
        cusps = {}
        for number, name in enumerate(CUSPS):
            middle = self._commissure + np.pi / 3 + number * 2 * np.pi / 3
            spoke = middle + np.sign(ALONG_EDGE) * np.pi / 3
            shut = np.abs(ALONG_EDGE)[:, None] * _directions(spoke)
            wide = (0.78 + 0.22 * np.abs(ALONG_EDGE))[:, None] * _directions(middle + ALONG_EDGE * np.pi / 3)
            edge = shut + opening[:, None, None] * (wide - shut)
            cusps[f"cusp_{name}"] = ribbon(
                centre[:, None] + self._radius_mm * edge, 0.55 * self.patient.cusp_thickness_mm
            )
        return cusps

    def _outflow(self, centre: Array, state: HeartState) -> dict[str, Array]:
        outward = _directions(OUTFLOW)
        share = np.linspace(0, 1, len(OUTFLOW))
        width = np.multiply.outer(1 - 0.25 * state.contraction, 0.25 + 0.75 * np.sin(np.pi * share) ** 0.6)
        inner = centre[:, None] + (self._radius_mm + 2.3) * outward
        free = inner + self._rv_width_mm * width[..., None] * outward
        return {"rv_blood": band(inner, free), "rv_wall": band(free, shell(free, 4.0, centre))}

    def _atria(self, centre: Array, state: HeartState) -> dict[str, Array]:
        growth = (0.94 + 0.12 * state.atrial_volume)[:, None, None]
        below = self._radius_mm + 5 + 1.06 * self._left_atrium_mm[1]
        left_mm, right_mm = self._left_atrium_mm, self._right_atrium_mm
        left = centre + np.array([10.0, below])
        right = centre + (self._radius_mm + right_mm[0] + 5.5) * np.array([-0.88, 0.48])
        grids = {}
        for name, middle, half_mm in (("la", left, left_mm), ("ra", right, right_mm)):
            rim = middle[:, None] + growth * half_mm * RING
            grids[f"{name}_blood"] = band(np.broadcast_to(middle[:, None], rim.shape), rim)
            grids[f"{name}_wall"] = band(rim, rim + 2.5 * RING)
        return grids

    def outlines(self, grids: Grids) -> dict[str, Array]:
        """Give the root, the left and right atrium, the outflow tract."""
        rings = {name: grids[f"{name}_blood"][:, 1, :-1] for name in ("aorta", "la", "ra")}
        return {**rings, "rv": around(grids["rv_blood"])}

    def fills(self) -> list[Fill]:
        """Blood, thin walls, the outflow's muscle, the cusps."""
        return [
            *(Fill(f"{name}_blood", BLOOD) for name in ("aorta", "la", "ra", "rv")),
            *(Fill(f"{name}_wall", THIN_WALL) for name in ("aorta", "la", "ra")),
            Fill("rv_wall", MYOCARDIUM),
            *(Fill(f"cusp_{name}", cusp_material(self.patient)) for name in CUSPS),
        ]

    def lines(self) -> list[Line]:
        """Give the root's wall, the cusps' free edges, the chambers' borders."""
        cusp_db = 7 + 7 * self.patient.cusp_calcification
        return [
            *(Line("aorta_wall", row, 7) for row in (0, 1)),
            *(Line(f"cusp_{name}", 0, cusp_db) for name in CUSPS),
            *(Line(f"{name}_wall", 0, 5) for name in ("la", "ra", "rv")),
        ]


def _directions(angle: Array) -> Array:
    """Give unit vectors (P, 2)."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
