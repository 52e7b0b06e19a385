"""What an anatomy is: a patient and a cycle come in; moving scatterers and the truth of each moment go out.

All positions are in mm in the plane of the echo view: x to the right, y downwards, away from the probe, which
stands at the origin for a standard window. The breathing drift of the cycle is already in them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from apical.errors import ApicalError
from apical.phantom.anatomy._surroundings import seed_surroundings
from apical.phantom.anatomy._tissue import Fill, Grids, Line, Material, Tissue, grow, pack
from apical.phantom.cycle import Cycle, HeartState, end_diastole
from apical.phantom.patient import Patient

__all__ = [
    "BLOOD",
    "MYOCARDIUM",
    "PERICARDIUM",
    "THIN_WALL",
    "Anatomy",
    "Array",
    "Scatterers",
    "cusp_material",
    "leaflet_material",
]

Array = npt.NDArray[np.float64]

MYOCARDIUM = Material(2.4, 0)
THIN_WALL = Material(3.0, 1)
BLOOD = Material(0.3, -31)
PERICARDIUM = Material(4.0, 9)


class Scatterers(NamedTuple):
    """N points that reflect, at T moments."""

    position_mm: npt.NDArray[np.float32]
    """(T, N, 2)"""
    amplitude: npt.NDArray[np.float32]
    """(N,): reflectivity, never negative, fixed in time; myocardium has a root mean square of about 1."""
    normal: npt.NDArray[np.float32]
    """(T, N, 2): unit normal of specular scatterers (either way round), zero for diffuse ones."""


class Anatomy(ABC):
    """A heart cut by one echo view. Form depends on the patient alone; `clip` draws the scatterers anew."""

    echo_view: ClassVar[str]

    def __init__(self, patient: Patient, cycle: Cycle, clip: int) -> None:
        self.patient, self.cycle, self.clip = patient, cycle, clip
        self.form = patient.generator(type(self).__module__)
        """The stream that this plane's sizes are drawn from."""

    @abstractmethod
    def grids(self, state: HeartState) -> Grids:
        """Every patch of tissue and blood at the moments of `state`, each (T, R, C, 2)."""

    @abstractmethod
    def outlines(self, grids: Grids) -> dict[str, Array]:
        """Close outlines (T, P, 2): `lv` endocardium, `epi` epicardium around it, and others in view."""

    @abstractmethod
    def fills(self) -> Sequence[Fill]:
        """Which grids hold which diffuse material."""

    @abstractmethod
    def lines(self) -> Sequence[Line]:
        """Which rows of which grids are specular interfaces."""

    def scatterers(self, times_s: Array) -> Scatterers:
        """All that reflects, surroundings included, at times (T,)."""
        control_mm = pack(self.grids(self.cycle.state(np.atleast_1d(times_s))))
        position, normal = self._tissue.place(control_mm)
        return Scatterers(position, self._tissue.amplitude, normal)

    def contours(self, time_s: float) -> dict[str, Array]:
        """Give closed polygons (P, 2) in mm, first point not repeated; myocardium is `epi` minus `lv`."""
        outlines = self.outlines(self.grids(self.cycle.state(np.atleast_1d(time_s))))
        return {name: outline[0] for name, outline in outlines.items()}

    def long_axis_and_chords(self, time_s: float) -> Array:  # noqa: ARG002
        """(21, 4) of x1, y1, x2, y2 in mm: the axis, apex to mitral plane, then twenty chords across it."""
        raise ApicalError(
            f"The {self.echo_view} view has no long axis to cut discs from", remedy="Use a4c or a2c."
        )

    def calipers(self, time_s: float) -> dict[str, Array]:  # noqa: ARG002
        """By name (`ivs`, `lvid`, `lvpw`): x1, y1, x2, y2 in mm."""
        raise ApicalError(f"The {self.echo_view} view has no linear measures", remedy="Use plax.")

    @cached_property
    def _tissue(self) -> Tissue:
        relaxed = self.grids(end_diastole(self.patient))
        rng = self.patient.generator(f"{type(self).__module__} scatterers", self.clip)
        return grow(relaxed, self.fills(), self.lines(), seed_surroundings(relaxed, rng), rng)


def leaflet_material() -> Material:
    """Give a healthy atrioventricular leaflet."""
    return Material(6.0, 3)


def cusp_material(patient: Patient) -> Material:
    """Give an aortic cusp: the more chalk, the brighter."""
    return Material(6.0, 1 + 11 * patient.cusp_calcification)
