"""Volumes by discs agree with the volumes of bodies whose formula is known."""

from __future__ import annotations

import numpy as np
import pytest

from apical.measures.discs import (
    Discs,
    biplane_ml,
    discs_of_mask,
    ejection_fraction_percent,
    single_plane_ml,
)


def ellipse(height: int, width: int, half_long: float, half_short: float, tilt: float) -> np.ndarray:
    y, x = np.mgrid[:height, :width] - np.array([height / 2, width / 2])[:, None, None]
    along = y * np.cos(tilt) + x * np.sin(tilt)
    across = x * np.cos(tilt) - y * np.sin(tilt)
    return np.asarray((along / half_long) ** 2 + (across / half_short) ** 2 <= 1)


@pytest.mark.parametrize("tilt", [0.0, 0.3, -0.6, 1.2])
def test_an_ellipsoids_volume_is_found_whatever_its_tilt(tilt: float) -> None:
    discs = discs_of_mask(ellipse(160, 160, 60, 30, tilt))
    assert discs is not None
    truth = 4 / 3 * np.pi * 60 * 30 * 30 / 1000
    assert single_plane_ml(discs) == pytest.approx(truth, rel=0.02)


def test_spacing_scales_each_side_by_itself() -> None:
    stretched = discs_of_mask(ellipse(200, 100, 80, 20, 0.0), spacing=(0.5, 1.0))
    round_one = discs_of_mask(ellipse(200, 200, 40, 20, 0.0))
    assert stretched is not None
    assert round_one is not None
    assert single_plane_ml(stretched) == pytest.approx(single_plane_ml(round_one), rel=0.02)


def test_the_apex_is_the_narrower_end_whichever_way_up() -> None:
    wedge = np.zeros((80, 80), dtype=bool)
    for row in range(10, 70):
        wedge[row, 40 - row // 4 : 40 + row // 4] = True
    upright, upside_down = discs_of_mask(wedge), discs_of_mask(wedge[::-1])
    assert upright is not None
    assert upside_down is not None
    assert upright.diameters[0] < upright.diameters[-1]
    np.testing.assert_allclose(upright.diameters, upside_down.diameters, rtol=0.05)


def test_two_planes_give_the_volume_of_an_elliptic_body() -> None:
    a4c, a2c = Discs(np.full(20, 40.0), 80.0), Discs(np.full(20, 50.0), 78.0)
    assert biplane_ml(a4c, a2c) == pytest.approx(np.pi / 4 * 40 * 50 * 80 / 1000)


def test_nothing_has_no_discs() -> None:
    assert discs_of_mask(np.zeros((10, 10), dtype=bool)) is None


def test_ejection_fraction_of_half_is_fifty() -> None:
    assert ejection_fraction_percent(100.0, 50.0) == 50.0
