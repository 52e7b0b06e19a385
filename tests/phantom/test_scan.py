from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.path import Path

from apical.phantom.geometry import Fan, PolarGrid, Pose
from apical.phantom.scan import ScanConverter, inside

FAN = Fan(
    height=100,
    width=120,
    apex_px=(59.5, 0.0),
    spacing_mm=(1.5, 1.5),
    depth_mm=140.0,
    half_angle_rad=np.deg2rad(38.0),
)
GRID = PolarGrid(num_depths=141, num_beams=101, depth_mm=140.0, edge_sine=0.7)
STRAIGHT_GREYS = np.arange(256, dtype=np.uint8)


def test_pixels_outside_the_fan_are_black() -> None:
    converter = ScanConverter(FAN, GRID)
    frames = converter.convert(np.ones((2, *GRID.shape), np.float32), STRAIGHT_GREYS)
    assert frames.shape == (2, 100, 120)
    assert not frames[:, ~converter.sector].any()
    assert (frames[:, converter.sector] == 255).all()


def test_levels_land_at_their_depth_and_angle() -> None:
    levels = np.broadcast_to(GRID.radii_mm[:, None] / 140.0, GRID.shape).astype(np.float32)
    frame = ScanConverter(FAN, GRID).convert(levels[None], STRAIGHT_GREYS)[0]
    x, y = FAN.pixel_positions()
    shown, sector = frame * (140.0 / 255.0), FAN.sector()
    np.testing.assert_allclose(shown[sector], np.hypot(x, y)[sector], atol=0.3)


def test_the_fan_has_the_area_of_its_circle_sector() -> None:
    pixels = 140.0**2 * np.deg2rad(38.0) / 1.5**2
    assert FAN.sector().sum() == pytest.approx(pixels, rel=0.01)


def test_a_footprint_and_a_flat_bottom_cut_the_fan() -> None:
    x, y = FAN.pixel_positions()
    cut = replace(FAN, top_cut_mm=20.0, bottom_mm=120.0).sector()
    assert not cut[np.hypot(x, y) < 20.0].any()
    assert not cut[y > 120.0].any()
    assert cut.sum() < FAN.sector().sum()


def test_millimetres_and_pixels_agree() -> None:
    x, y = FAN.pixel_positions()
    np.testing.assert_allclose(FAN.to_pixels(np.array([x[7, 11], y[7, 11]])), (11, 7))


def test_a_heart_turns_clockwise_about_the_probe_and_keeps_its_size() -> None:
    pose = Pose((2.0, 3.0), tilt_deg=90.0)
    np.testing.assert_allclose(pose.place(np.array([[8.0, -3.0]])), [[0.0, 10.0]], atol=1e-12)
    shape = np.random.default_rng(0).normal(size=(5, 2))
    moved = Pose((2.0, 3.0), tilt_deg=33.0).place(shape)
    np.testing.assert_allclose(
        np.linalg.norm(moved - moved[0], axis=1), np.linalg.norm(shape - shape[0], axis=1)
    )


def test_insides_agree_with_an_independent_rasteriser() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        angle = np.sort(draw.uniform(0, 2 * np.pi, 30))
        radius = draw.uniform(5, 45, 30)
        outline = np.stack([40 + radius * np.cos(angle), 30 + radius * np.sin(angle)], axis=1)
        centres = np.stack(np.meshgrid(np.arange(80), np.arange(60)), axis=-1).reshape(-1, 2)
        expected = Path(outline).contains_points(centres).reshape(60, 80)
        np.testing.assert_array_equal(inside(outline, (60, 80)), expected)
