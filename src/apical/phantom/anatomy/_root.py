"""The aortic root cut along its axis: the ends of its annulus come in, its walls and two cusps go out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apical.phantom.anatomy._valve import leaflet
from apical.phantom.anatomy._wall import band

__all__ = ["AorticRoot"]

Array = npt.NDArray[np.float64]

ALONG_MM: Array = np.linspace(0, 48, 25)
SINUS_MM, SINUS_BULGE_MM = 22.0, 3.0
WALL_MM = 2.2
BLEND_MM = 14.0
"""How far the end of the septum reaches along the anterior wall."""


class AorticRoot(NamedTuple):
    """The root at T moments; anterior is nearer to the probe."""

    anterior_mm: Array
    """(T, 2): end of the annulus."""
    posterior_mm: Array
    septum_mm: Array
    """(T, 2): where the septum's outer border ends."""
    direction: Array
    """(2,): downstream."""
    down: Array
    """(2,): across, from anterior to posterior."""

    def walls(self) -> dict[str, Array]:
        """Both walls, inner row first, and the blood between them."""
        bulge = SINUS_BULGE_MM * np.sin(np.pi * np.clip(ALONG_MM / SINUS_MM, 0, 1)) ** 2
        path = np.multiply.outer(ALONG_MM, self.direction)
        inner_anterior = self.anterior_mm[:, None] + path - np.multiply.outer(bulge, self.down)
        inner_posterior = self.posterior_mm[:, None] + path + np.multiply.outer(bulge, self.down)
        septal_end = self.septum_mm - self.anterior_mm + WALL_MM * self.down
        fade = (1 - np.clip(ALONG_MM / BLEND_MM, 0, 1))[:, None] ** 1.5
        outer_anterior = inner_anterior - WALL_MM * self.down + septal_end[:, None] * fade
        thickness = WALL_MM * np.clip(ALONG_MM / 4, 0, 1)[:, None]
        return {
            "aorta_blood": band(inner_anterior, inner_posterior),
            "aorta_anterior": band(inner_anterior, outer_anterior),
            "aorta_posterior": band(inner_posterior, inner_posterior + thickness * self.down),
        }

    def cusps(self, opening: Array, thickness_mm: float) -> dict[str, Array]:
        """Two cusps that meet downstream of the annulus; opening (T,) is 1 when they lie along the walls."""
        across = self.posterior_mm - self.anterior_mm
        width = np.linalg.norm(across, axis=1)[:, None]
        meet = self.anterior_mm + 0.5 * across + 0.36 * width * self.direction
        cusps = {}
        for side, hinge, inwards, belly in (
            ("anterior", self.anterior_mm, across, 0.12),
            ("posterior", self.posterior_mm, -across, -0.12),
        ):
            opened = hinge + 0.74 * width * self.direction + 0.06 * inwards
            cusps[f"cusp_{side}"] = leaflet(
                hinge, meet, opened, opening, belly=belly, thickness_mm=thickness_mm
            )
        return cusps
