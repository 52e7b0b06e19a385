"""The planes: their truths agree with what was drawn, and with what reflects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from apical.errors import ApicalError
from apical.phantom.anatomy.base import Anatomy, Scatterers
from apical.phantom.cycle import draw_cycle
from apical.phantom.patient import Patient, Prevalence, draw_patient
from apical.phantom.scan import inside
from apical.registry import load, names

Array = npt.NDArray[np.float64]

PLANES = names("phantom.anatomy")
WITH_VENTRICLE = ["a4c", "a2c", "plax", "psax"]
SICK = Prevalence(any_as=0.5, severe_as=0.25, hypertrophy=0.4, low_ef=0.4)
LEVELS = np.linspace(0.01, 0.99, 20)


def anatomy(plane: str, index: int, clip: int = 0) -> Anatomy:
    patient = draw_patient(9, index, SICK)
    made: Anatomy = load("phantom.anatomy", plane)(patient, draw_cycle(patient, clip, 2.0), clip)
    return made


def moments(heart: Anatomy) -> list[float]:
    """Both extremes of a beat and three times in between and after."""
    ed_s, es_s = heart.cycle.beats[0]
    return [ed_s, (ed_s + es_s) / 2, es_s, es_s + 0.1, es_s + 0.25]


def area_mm2(outline: Array) -> float:
    x, y = outline.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def crosses_itself(outline: Array) -> bool:
    """Whether any two edges that do not follow each other meet inside."""
    start = outline[np.linalg.norm(outline - np.roll(outline, -1, axis=0), axis=1) > 1e-6]
    edge = np.roll(start, -1, axis=0) - start
    gap = start[None] - start[:, None]
    turn = edge[:, None, 0] * edge[None, :, 1] - edge[:, None, 1] * edge[None, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (gap[..., 0] * edge[None, :, 1] - gap[..., 1] * edge[None, :, 0]) / turn
        second = (gap[..., 0] * edge[:, None, 1] - gap[..., 1] * edge[:, None, 0]) / turn
    meet = (first > 0) & (first < 1) & (second > 0) & (second < 1)
    number = np.arange(len(start))
    apart = np.abs(number[:, None] - number[None])
    return bool((meet & (apart > 1) & (apart < len(start) - 1)).any())


def chord_mm(outline: Array, middle: Array, across: Array) -> float:
    """Length of the cut through an outline by a line: slow and obvious."""
    offset = outline - middle
    side = offset[:, 0] * across[1] - offset[:, 1] * across[0]
    place = offset @ across
    cuts = []
    for here, there in zip(range(len(side)), np.roll(np.arange(len(side)), -1), strict=True):
        if side[here] * side[there] < 0:
            share = side[here] / (side[here] - side[there])
            cuts.append(place[here] + share * (place[there] - place[here]))
    return float(max(cuts) - min(cuts))


def diameters_mm(heart: Anatomy, time_s: float) -> tuple[Array, float]:
    """The discs' diameters, cut from the contour, and the long axis' length."""
    lines = heart.long_axis_and_chords(time_s)
    apex, base = lines[0, :2], lines[0, 2:]
    axis = (base - apex) / np.linalg.norm(base - apex)
    across = np.array([axis[1], -axis[0]])
    outline = heart.contours(time_s)["lv"]
    cuts = [chord_mm(outline, apex + level * (base - apex), across) for level in LEVELS]
    return np.array(cuts), float(np.linalg.norm(base - apex))


@pytest.mark.parametrize("plane", ["a4c", "a2c"])
def test_discs_of_the_contour_give_the_drawn_ef(plane: str) -> None:
    for index in range(25):
        heart = anatomy(plane, index)
        volumes = [
            np.pi / 4 * (widths**2).sum() * length / 20
            for widths, length in (diameters_mm(heart, time_s) for time_s in heart.cycle.beats[0])
        ]
        assert 100 * (1 - volumes[1] / volumes[0]) == pytest.approx(heart.patient.ef_percent, abs=0.5)


def test_biplane_discs_give_the_volume() -> None:
    for index in range(25):
        four, two = anatomy("a4c", index), anatomy("a2c", index)
        for time_s in moments(four):
            (wide, length), (narrow, _) = diameters_mm(four, time_s), diameters_mm(two, time_s)
            biplane_ml = np.pi / 4 * (wide * narrow).sum() * length / 20 / 1000
            assert biplane_ml == pytest.approx(four.cycle.volume_ml(np.array([time_s]))[0], rel=0.02)


@pytest.mark.parametrize("plane", ["a4c", "a2c"])
def test_chords_end_on_the_contour_and_stand_across_the_axis(plane: str) -> None:
    for index in range(10):
        heart = anatomy(plane, index)
        for time_s in moments(heart):
            lines = heart.long_axis_and_chords(time_s)
            assert lines.shape == (21, 4)
            widths, _ = diameters_mm(heart, time_s)
            direction = lines[:, 2:] - lines[:, :2]
            assert np.linalg.norm(direction[1:], axis=1) == pytest.approx(widths, abs=0.5)
            assert np.abs(direction[1:] @ direction[0]).max() < 1e-6


def test_short_axis_area_and_length_give_the_volume() -> None:
    for index in range(20):
        heart = anatomy("psax", index)
        for time_s in moments(heart):
            state = heart.cycle.state(np.array([time_s]))
            length_mm = heart.patient.lv_length_mm * (1 - state.shortening[0])
            volume_ml = 5 / 6 * area_mm2(heart.contours(time_s)["lv"]) * length_mm / 1000
            assert volume_ml == pytest.approx(state.volume_ml[0], rel=1e-3)


def test_calipers_measure_what_was_drawn() -> None:
    for index in range(40):
        heart = anatomy("plax", index)
        ed_s, es_s = heart.cycle.beats[0]
        ed, es = (
            {k: np.hypot(*(v[2:] - v[:2])) / 10 for k, v in heart.calipers(t).items()} for t in (ed_s, es_s)
        )
        patient = heart.patient
        assert (ed["ivs"], ed["lvid"], ed["lvpw"]) == pytest.approx(
            (patient.ivs_cm, patient.lvid_cm, patient.lvpw_cm), abs=1e-3
        )
        assert es["lvid"] == pytest.approx(patient.lvid_systole_cm, abs=1e-3)
        assert es["ivs"] > ed["ivs"]
        assert es["lvpw"] > ed["lvpw"]


def test_calipers_lie_on_one_line() -> None:
    lines = anatomy("plax", 3).calipers(0.5)
    ends = np.concatenate([lines[name].reshape(2, 2) for name in ("ivs", "lvid", "lvpw")])
    offset = ends - ends[0]
    assert np.abs(offset[:, 0] * offset[-1, 1] - offset[:, 1] * offset[-1, 0]).max() < 1e-6
    assert np.array_equal(ends[1], ends[2])
    assert np.array_equal(ends[3], ends[4])


@pytest.mark.parametrize("plane", WITH_VENTRICLE)
def test_the_wall_keeps_its_area_and_thickens(plane: str) -> None:
    for index in range(25):
        heart = anatomy(plane, index)
        areas = []
        for time_s in moments(heart):
            outlines = heart.contours(time_s)
            areas.append(area_mm2(outlines["epi"]) - area_mm2(outlines["lv"]))
        assert np.max(np.abs(np.array(areas) / areas[0] - 1)) < 0.1


def test_a_crossing_would_be_seen() -> None:
    assert crosses_itself(np.array([[0.0, 0.0], [1, 1], [1, 0], [0, 1]]))
    assert not crosses_itself(np.array([[0.0, 0.0], [1, 0], [1, 1], [0, 1]]))


@pytest.mark.parametrize("plane", PLANES)
def test_no_contour_crosses_itself(plane: str) -> None:
    for index in range(200):
        heart = anatomy(plane, index)
        for time_s in moments(heart)[::2]:
            for name, outline in heart.contours(time_s).items():
                assert not crosses_itself(outline), (index, time_s, name)


def holding_share(outlines: dict[str, Array], points: Array) -> float:
    """Share of points inside the epicardium and outside the cavity, told on a 0.1 mm raster."""
    corner = outlines["epi"].min(axis=0) - 1
    size = tuple(np.ceil((np.ptp(outlines["epi"], axis=0) + 2) * 10).astype(int)[::-1])
    epi, lv = (inside((outlines[name] - corner) * 10, size) for name in ("epi", "lv"))
    column, row = np.clip(np.round((points - corner) * 10).astype(int).T, 0, np.array(size)[::-1, None] - 1)
    return float((epi & ~lv)[row, column].mean())


@pytest.mark.parametrize("plane", WITH_VENTRICLE)
def test_muscle_scatterers_stay_in_the_wall(plane: str) -> None:
    for index in range(5):
        heart = anatomy(plane, index)
        times_s = np.array(moments(heart))
        found = heart.scatterers(times_s)
        relaxed = heart.contours(times_s[0])
        start = wall_scatterers(found, relaxed)
        for frame, time_s in enumerate(times_s):
            points = found.position_mm[frame, start].astype(np.float64)
            assert holding_share(heart.contours(float(time_s)), points) > 0.98


def wall_scatterers(found: Scatterers, relaxed: dict[str, Array]) -> npt.NDArray[np.intp]:
    """Which diffuse scatterers lie within the wall at end-diastole, by more than a raster cell."""
    points = found.position_mm[0].astype(np.float64)
    corner = relaxed["epi"].min(axis=0) - 1
    size = tuple(np.ceil((np.ptp(relaxed["epi"], axis=0) + 2) * 5).astype(int)[::-1])
    wall = inside((relaxed["epi"] - corner) * 5, size) & ~inside((relaxed["lv"] - corner) * 5, size)
    column, row = np.floor((points - corner) * 5).astype(int).T
    fits = (row >= 0) & (row < size[0] - 1) & (column >= 0) & (column < size[1] - 1)
    held = np.zeros(len(points), dtype=bool)
    held[fits] = wall[row[fits], column[fits]] & wall[row[fits] + 1, column[fits] + 1]
    return np.flatnonzero(held & (found.normal[0] == 0).all(axis=1))


@pytest.mark.parametrize("plane", PLANES)
def test_scatterers_have_unit_normals_and_honest_shapes(plane: str) -> None:
    heart = anatomy(plane, 2)
    found = heart.scatterers(np.linspace(0, 1, 4))
    T, N, _ = found.position_mm.shape
    assert T == 4
    assert 12_000 < N < 40_000
    assert found.amplitude.shape == (N,)
    assert found.amplitude.min() >= 0
    length = np.linalg.norm(found.normal, axis=2)
    specular = length[0] > 0
    assert 0.03 < specular.mean() < 0.4
    assert length[:, specular] == pytest.approx(1, abs=1e-4)
    assert not length[:, ~specular].any()
    assert all(array.dtype == np.float32 for array in found)
    assert np.isfinite(found.position_mm).all()


@pytest.mark.parametrize("plane", PLANES)
def test_tissue_moves_smoothly(plane: str) -> None:
    heart = anatomy(plane, 4)
    step_mm = np.diff(heart.scatterers(np.linspace(0, 2, 401)[::2]).position_mm, axis=0)
    assert np.abs(step_mm).max() < 5


@pytest.mark.parametrize("plane", WITH_VENTRICLE)
def test_muscle_is_far_brighter_than_blood(plane: str) -> None:
    heart = anatomy(plane, 1)
    time_s = heart.cycle.beats[0].ed_s
    found, outlines = heart.scatterers(np.array([time_s])), heart.contours(time_s)
    muscle = wall_scatterers(found, outlines)
    hollow = {"epi": outlines["lv"], "lv": outlines["lv"].mean(axis=0) + np.zeros((3, 2))}
    blood = wall_scatterers(found, hollow)
    blood = blood[found.amplitude[blood] < 0.4]  # leaflets and muscles stand in the cavity too
    power_db = 10 * np.log10(
        (np.square(found.amplitude[muscle]).sum() / (area_mm2(outlines["epi"]) - area_mm2(outlines["lv"])))
        / (np.square(found.amplitude[blood]).sum() / area_mm2(outlines["lv"]))
    )
    assert 25 < power_db < 35


@pytest.mark.parametrize("plane", PLANES)
def test_another_clip_has_the_same_form_and_other_speckle(plane: str) -> None:
    first, again, other = anatomy(plane, 6), anatomy(plane, 6), anatomy(plane, 6, clip=1)
    at = [heart.cycle.beats[0].ed_s for heart in (first, other)]
    assert np.array_equal(
        first.scatterers(np.zeros(1)).position_mm, again.scatterers(np.zeros(1)).position_mm
    )
    for name, outline in first.contours(at[0]).items():
        drift = other.contours(at[1])[name] - outline
        assert np.ptp(drift, axis=0).max() < 1e-6, name
    assert first.scatterers(np.zeros(1)).amplitude[100] != other.scatterers(np.zeros(1)).amplitude[100]


@pytest.mark.parametrize("plane", WITH_VENTRICLE)
def test_the_ventricle_is_largest_at_end_diastole(plane: str) -> None:
    for index in range(10):
        heart = anatomy(plane, index)
        areas = [area_mm2(heart.contours(time_s)["lv"]) for time_s in moments(heart)]
        assert np.argmax(areas) == 0
        assert np.argmin(areas) == 2


def test_the_atrium_grows_while_the_ventricle_empties() -> None:
    for plane in ("a4c", "a2c", "plax"):
        heart = anatomy(plane, 3)
        ed_s, es_s = heart.cycle.beats[0]
        assert area_mm2(heart.contours(es_s)["la"]) > 1.1 * area_mm2(heart.contours(ed_s)["la"])


def cusp_gap_mm(patient: Patient) -> float:
    """How far apart the cusps' tips are at their widest, for this patient's valve on one form."""
    made: Anatomy = load("phantom.anatomy", "plax")(patient, draw_cycle(patient, 0, 2.0), 0)
    state = made.cycle.state(np.linspace(0, 2, 201))
    grids = made.grids(state)
    tips = [grids[f"cusp_{side}"][:, :, -1].mean(axis=1) for side in ("anterior", "posterior")]
    return float(np.linalg.norm(tips[0] - tips[1], axis=1).max())


def test_severe_stenosis_opens_less_and_reflects_more() -> None:
    patients = [draw_patient(4, index, SICK) for index in range(60)]
    gaps = {
        grade: np.mean([cusp_gap_mm(p) for p in patients if p.as_grade == grade])
        for grade in ("none", "severe")
    }
    assert gaps["severe"] < 0.55 * gaps["none"]


def test_the_apical_views_know_discs_and_the_long_axis_knows_calipers() -> None:
    with pytest.raises(ApicalError, match="linear measures"):
        anatomy("a4c", 0).calipers(0.0)
    with pytest.raises(ApicalError, match="discs"):
        anatomy("plax", 0).long_axis_and_chords(0.0)
