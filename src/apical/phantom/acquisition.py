"""How one clip is taken: a patient and a clip number come in, probe, machine and its settings go out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from apical.phantom.conditions import Conditions, draw_conditions
from apical.phantom.geometry import Fan, PolarGrid, Pose
from apical.phantom.patient import Patient
from apical.phantom.styles import STYLES, style_named

__all__ = ["Acquisition", "draw_acquisition"]

DEPTH_MM = {"a4c": 165.0, "a2c": 165.0, "plax": 145.0, "psax": 125.0, "psax_aortic": 130.0}
"""Image depth for a left ventricle of 120 ml, where it differs from the usual one."""

USUAL_DEPTH_MM = 150.0

BEAM_MARGIN = 1.12
"""The grid is this much wider than the fan, so that what lies just outside can smear in."""

FLAT_BOTTOM = 0.94
"""Where a straight bottom lies, as a part of the depth."""

LARGEST_SIDE_CROP = 0.2

FRAME_RATES_HZ = (30.0, 40.0, 50.0, 50.0, 50.0, 60.0, 75.0)

BEATS = (2.1, 3.6)
"""Length of a clip, shortest and longest."""

Box = tuple[float, float, float, float]
"""Top, left, height and width in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """Everything about a clip that is not the heart."""

    echo_view: str
    clip: int
    num_frames: int
    fps_hz: float
    height: int
    width: int
    box_px: Box
    """The part of the canvas that the fan fills."""
    side_crop: float
    """Part of the fan's width that the box cuts off, half on each side."""
    pixel_aspect: float
    """Width of a pixel over its height, in mm."""
    style: str
    depth_mm: float
    sector_angle_deg: float
    top_cut_mm: float
    pose: Pose
    conditions: Conditions

    @property
    def fan(self) -> Fan:
        """Where the fan lies on the canvas: as large as its box allows, its tip at the top."""
        top, left, box_height, box_width = self.box_px
        half_angle = np.deg2rad(self.sector_angle_deg / 2.0)
        bottom_mm = FLAT_BOTTOM * self.depth_mm if style_named(self.style).flat_bottom else None
        tip_mm = self.top_cut_mm * float(np.cos(half_angle))
        height_mm = (bottom_mm or self.depth_mm) - tip_mm
        width_mm = (1.0 - self.side_crop) * 2.0 * self.depth_mm * float(np.sin(half_angle))
        spacing_y = max(height_mm / box_height, width_mm / (box_width * self.pixel_aspect))
        return Fan(
            height=self.height,
            width=self.width,
            apex_px=(left + box_width / 2.0 - 0.5, top - 0.5 - tip_mm / spacing_y),
            spacing_mm=(spacing_y, spacing_y * self.pixel_aspect),
            depth_mm=self.depth_mm,
            half_angle_rad=float(half_angle),
            top_cut_mm=self.top_cut_mm,
            bottom_mm=bottom_mm,
        )

    @property
    def grid(self) -> PolarGrid:
        """Depth samples and beams, as fine as the fan's pixels ask for."""
        rows = self.box_px[2]
        edge_sine = min(BEAM_MARGIN * float(np.sin(np.deg2rad(self.sector_angle_deg / 2.0))), 0.95)
        return PolarGrid(
            num_depths=int(np.clip(1.3 * rows, 96, 400)),
            num_beams=fft.next_fast_len(int(np.clip(0.85 * rows, 80, 200))),
            depth_mm=self.depth_mm,
            edge_sine=edge_sine,
        )


def draw_acquisition(
    patient: Patient,
    clip: int,
    echo_view: str,
    *,
    height: int = 112,
    width: int = 112,
    num_frames: int | None = None,
    fps_hz: float | None = None,
    style: str | None = None,
    is_screen: bool = False,
    side_crop: float | None = None,
    pixel_aspect: float = 1.0,
) -> Acquisition:
    """Draw how this clip is taken; what is given stands, and changes nothing else of the draw.

    On a screen the fan leaves room for the machine's own marks around it; otherwise it fills the canvas,
    which may cut its sides.
    """
    draw = patient.generator("acquisition", clip)
    drawn_style = sorted(STYLES)[int(draw.integers(len(STYLES)))]
    drawn_fps_hz = float(draw.choice(FRAME_RATES_HZ))
    drawn_s = float(draw.uniform(*BEATS)) * 60.0 / patient.heart_rate_bpm
    rate_hz = fps_hz or drawn_fps_hz
    machine = style_named(style or drawn_style)
    drawn_crop = float(draw.uniform(0.0, LARGEST_SIDE_CROP))
    screen_box = _draw_screen_box(draw, height, width)
    size = (patient.edv_ml / 120.0) ** 0.2
    return Acquisition(
        echo_view=echo_view,
        clip=clip,
        num_frames=num_frames or round(drawn_s * rate_hz),
        fps_hz=rate_hz,
        height=height,
        width=width,
        box_px=screen_box if is_screen else (0.0, 0.0, height, width),
        side_crop=side_crop if side_crop is not None else drawn_crop * (not is_screen),
        pixel_aspect=pixel_aspect,
        style=style or drawn_style,
        depth_mm=DEPTH_MM.get(echo_view, USUAL_DEPTH_MM) * size * float(draw.uniform(0.96, 1.1)),
        sector_angle_deg=float(draw.uniform(*machine.sector_deg)),
        top_cut_mm=float(draw.uniform(*machine.top_cut_mm)),
        pose=_draw_pose(draw),
        conditions=draw_conditions(draw),
    )


def _draw_pose(draw: np.random.Generator) -> Pose:
    """Where the probe stands: never quite where the book says."""
    shift_mm = float(draw.normal(0.0, 4.0)), float(draw.normal(0.0, 2.5))
    return Pose(shift_mm, tilt_deg=float(draw.normal(0.0, 3.0)))


def _draw_screen_box(draw: np.random.Generator, height: int, width: int) -> Box:
    """Place a box somewhere about the middle of a screen."""
    top = float(draw.uniform(0.05, 0.12))
    box_height = float(draw.uniform(0.74, 0.82))
    box_width = float(draw.uniform(0.66, 0.76))
    left = float(draw.uniform(0.10, 0.16))
    return top * height, left * width, box_height * height, box_width * width
