from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from apical.phantom.acoustics import Receiver, grey_table
from apical.phantom.beams import Beams, Echo
from apical.phantom.conditions import Conditions, Shadow, draw_conditions
from apical.phantom.geometry import PolarGrid, Pose
from apical.phantom.styles import STYLES, Style

GRID = PolarGrid(num_depths=160, num_beams=96, depth_mm=160.0, edge_sine=0.7)
STRAIGHT = Pose((0.0, 0.0), tilt_deg=0.0)
SILENT = replace(
    draw_conditions(np.random.default_rng(0)),
    gain_db=0.0,
    tgc_tilt_db=0.0,
    noise_db=-200.0,
    haze_db=-200.0,
    clutter_db=-200.0,
    reverberation_db=-200.0,
    unevenness_db=0.0,
    shadows=(),
)


def beams(style: Style = STYLES["balanced"], dropout_power: float = 2.0) -> Beams:
    return Beams(GRID, STRAIGHT, style, dropout_power)


def echo_of(points_mm: npt.ArrayLike, normal: tuple[float, float] = (0.0, 0.0)) -> Echo:
    position_mm = np.asarray(points_mm, np.float32)[None]
    amplitude, phase = np.ones(position_mm.shape[1], np.float32), np.zeros(position_mm.shape[1], np.int32)
    normals = np.broadcast_to(np.asarray(normal, np.float32), position_mm.shape)
    return beams().hear(position_mm, amplitude, normals, phase)


def lateral_width_mm(depth_mm: float) -> float:
    """Standard deviation of a point's power across the beams, its side lobes left out."""
    power = np.abs(echo_of([[0.0, depth_mm]])[0]) ** 2
    row = power[int(power.max(axis=1).argmax())]
    row = np.where(row > 0.05 * row.max(), row, 0.0)
    return float(depth_mm * np.sqrt((row * GRID.sines**2).sum() / row.sum()))


def test_a_point_shows_where_it_is() -> None:
    power = np.abs(echo_of([[30.0, 90.0]])[0])
    row, column = np.unravel_index(int(power.argmax()), power.shape)
    radius_mm = np.hypot(30.0, 90.0)
    assert GRID.radii_mm[row] == pytest.approx(radius_mm, abs=GRID.step_mm)
    assert GRID.sines[column] == pytest.approx(30.0 / radius_mm, abs=GRID.sine_step)


def test_a_point_spreads_wider_the_deeper_it_lies() -> None:
    widths_mm = [lateral_width_mm(depth_mm) for depth_mm in (60.0, 90.0, 120.0, 150.0)]
    assert widths_mm == sorted(widths_mm)
    assert widths_mm[-1] > 2 * widths_mm[0]


def test_what_lies_beyond_the_grid_or_behind_the_probe_is_not_heard() -> None:
    assert not echo_of([[0.0, 200.0], [150.0, 20.0], [0.0, -50.0]]).any()


def test_a_mirror_along_the_beam_is_dimmer_than_one_across_it() -> None:
    line = np.stack([np.zeros(40), np.linspace(80.0, 100.0, 40)], axis=1)
    along = np.abs(echo_of(line, normal=(1.0, 0.0))).max()
    across = np.abs(echo_of(line, normal=(0.0, 1.0))).max()
    assert along < 0.05 * across


def test_a_moved_point_moves_without_changing() -> None:
    still, moved = np.abs(echo_of([[0.0, 80.0]])[0]), np.abs(echo_of([[0.0, 80.0 + 10 * GRID.step_mm]])[0])
    assert moved.max() == pytest.approx(still.max(), rel=0.2)
    assert np.corrcoef(still[40:120].ravel(), moved[50:130].ravel())[0, 1] > 0.95


def tissue() -> Echo:
    draw = np.random.default_rng(3)
    points = draw.uniform((-110.0, 2.0), (110.0, 160.0), (80_000, 2)).astype(np.float32)
    phase = draw.integers(256, size=(80_000,), dtype=np.int32)
    amplitude, normal = np.ones(80_000, np.float32), np.zeros((1, 80_000, 2), np.float32)
    return beams().hear(points[None], amplitude, normal, phase)


def levels(conditions: Conditions, echo: Echo, style: Style = STYLES["balanced"]) -> npt.NDArray[np.float32]:
    return Receiver(beams(style), style, conditions, np.random.default_rng(4), echo).receive(echo)


def test_even_tissue_is_evenly_bright() -> None:
    power = np.abs(tissue()[0, 20:140, 12:84]) ** 2
    thirds = [part.mean() for part in np.array_split(power, 3)]
    assert max(thirds) < 1.4 * min(thirds)


def test_speckle_has_the_contrast_of_fully_developed_speckle() -> None:
    envelope = np.abs(tissue()[0, 40:140, 12:84])
    assert envelope.mean() / envelope.std() == pytest.approx(1.91, abs=0.15)


def test_it_is_darker_behind_a_rib() -> None:
    shadow = Shadow(angle_deg=0.0, width_deg=8.0, start_mm=40.0, strength_db=20.0)
    echo = tissue()
    clear, shaded = levels(SILENT, echo)[0], levels(replace(SILENT, shadows=(shadow,)), echo)[0]
    assert shaded[80:140, 46:50].mean() < clear[80:140, 46:50].mean() - 0.2
    assert shaded[5:30, 46:50].mean() == pytest.approx(clear[5:30, 46:50].mean(), abs=0.03)
    assert shaded[80:140, 5:15].mean() == pytest.approx(clear[80:140, 5:15].mean(), abs=0.03)


def test_noise_grows_with_depth() -> None:
    silence = np.zeros((1, *GRID.shape), np.complex64)
    style, noisy = STYLES["balanced"], replace(SILENT, noise_db=-12.0)
    receiver = Receiver(beams(style), style, noisy, np.random.default_rng(4), tissue())
    heard = receiver.receive(silence)[0]
    assert heard[130:150].mean() > heard[20:40].mean() + 0.1


@pytest.mark.parametrize(
    "veiled",
    [replace(SILENT, haze_db=-5.0), replace(SILENT, clutter_db=-5.0), replace(SILENT, reverberation_db=-5.0)],
    ids=["haze", "clutter", "reverberation"],
)
def test_a_veil_brightens_what_is_dark(veiled: Conditions) -> None:
    hollow = tissue()
    hollow[:, 10:90] = 0
    silent = levels(SILENT, hollow)[0, 10:90].mean()
    assert levels(veiled, hollow)[0, 10:90].mean() > silent + 0.005


def test_persistence_mixes_a_frame_with_the_one_before() -> None:
    echo = np.concatenate([tissue(), np.zeros((1, *GRID.shape), np.complex64)])
    lasting = levels(SILENT, echo, replace(STYLES["balanced"], persistence=0.5))
    fleeting = levels(SILENT, echo, replace(STYLES["balanced"], persistence=0.0))
    assert fleeting[1].max() == 0
    np.testing.assert_allclose(lasting[1], 0.5 * lasting[0], atol=1e-6)


def test_frames_come_out_the_same_however_they_are_cut() -> None:
    echo = np.concatenate([tissue(), tissue()[:, ::-1], tissue()[:, :, ::-1]])
    noisy = replace(SILENT, noise_db=-15.0)
    receiver = Receiver(beams(), STYLES["soft"], noisy, np.random.default_rng(4), echo)
    pieces = np.concatenate([receiver.receive(echo[:1]), receiver.receive(echo[1:])])
    whole = Receiver(beams(), STYLES["soft"], noisy, np.random.default_rng(4), echo).receive(echo)
    np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize("name", sorted(STYLES))
def test_more_echo_is_never_shown_darker(name: str) -> None:
    assert (np.diff(grey_table(STYLES[name]).astype(int)) >= 0).all()
