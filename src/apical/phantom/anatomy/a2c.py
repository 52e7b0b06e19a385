"""The apical two-chamber view: left ventricle and atrium alone; the inferior wall is on the left."""

from __future__ import annotations

from typing import ClassVar

from apical.phantom.anatomy._apical import Apical
from apical.phantom.anatomy._tissue import Fill, Line
from apical.phantom.anatomy._wall import band, side_points
from apical.phantom.anatomy.base import MYOCARDIUM, PERICARDIUM, Array

__all__ = ["TwoChamber"]


class TwoChamber(Apical):
    """Two papillary hints, and pericardium on both sides."""

    echo_view: ClassVar[str] = "a2c"
    width_factor_power: ClassVar[int] = -1

    def _papillary(self, endo: Array) -> dict[str, Array]:
        return {"papillary_first": self._swelling(endo, -0.5, -0.75), **super()._papillary(endo)}

    def _pericardium(self, epi: Array) -> dict[str, Array]:
        outer = side_points(epi, -0.25, -1.0)
        return {"pericardium_first": band(outer, outer - 1.8 * self.lateral), **super()._pericardium(epi)}

    def fills(self) -> list[Fill]:
        """Give the left heart's materials and the first side's own."""
        return [*super().fills(), Fill("papillary_first", MYOCARDIUM), Fill("pericardium_first", PERICARDIUM)]

    def lines(self) -> list[Line]:
        """Give the left heart's interfaces and the first side's pericardium."""
        return [*super().lines(), Line("pericardium_first", 0, 14)]
