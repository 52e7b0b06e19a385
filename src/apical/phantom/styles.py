"""Machine styles: a name comes in, how that make of machine forms, compresses and shows an echo goes out."""

from __future__ import annotations

from dataclasses import dataclass

from apical.errors import ApicalError, nearest

__all__ = ["STYLES", "Style", "style_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What one make of machine does to every image it shows."""

    wavelength_mm: float
    pulse_mm: float
    """Standard deviation of the axial pulse."""
    beam_deg: float
    """Standard deviation of the beam at its focus."""
    focus: float
    """Depth of the focus, as a part of the image depth."""
    defocus: float
    """How fast the beam widens away from the focus."""
    sidelobe_db: float
    dynamic_range_db: float
    headroom_db: float
    """How far white lies above bright tissue."""
    grey_curve: tuple[tuple[float, float], ...]
    """Corner points from the compressed level (0 to 1) to grey (0 to 1)."""
    smoothing: float
    """Weight of each neighbour in the speckle filter, 0 to 1/3."""
    edge_gain: float
    persistence: float
    """Part of the former image that stays in the next one."""
    noise_db: float
    """Added to the noise that the acquisition draws."""
    sector_deg: tuple[float, float]
    """Opening angles that its presets use, lowest and highest."""
    top_cut_mm: tuple[float, float] = (0.0, 0.0)
    """Depths that a curved footprint hides at the top, lowest and highest."""
    flat_bottom: bool = False
    """Whether a straight line cuts the fan below, instead of its arc."""


LINEAR = ((0.0, 0.0), (1.0, 1.0))
DARK = ((0.0, 0.0), (0.35, 0.16), (0.7, 0.52), (1.0, 1.0))
STEEP = ((0.0, 0.0), (0.3, 0.06), (0.65, 0.55), (0.85, 0.88), (1.0, 1.0))
LIFTED = ((0.0, 0.05), (0.4, 0.36), (0.75, 0.68), (1.0, 0.95))

STYLES: dict[str, Style] = {
    "balanced": Style(
        wavelength_mm=0.75, pulse_mm=0.62, beam_deg=0.85, focus=0.55, defocus=0.5, sidelobe_db=-27.0,
        dynamic_range_db=58.0, headroom_db=20.0, grey_curve=DARK, smoothing=0.26, edge_gain=0.25,
        persistence=0.25, noise_db=0.0, sector_deg=(75.0, 82.0),
    ),
    "crisp": Style(
        wavelength_mm=0.55, pulse_mm=0.42, beam_deg=0.65, focus=0.6, defocus=0.4, sidelobe_db=-30.0,
        dynamic_range_db=54.0, headroom_db=16.0, grey_curve=STEEP, smoothing=0.18, edge_gain=0.5,
        persistence=0.1, noise_db=-2.0, sector_deg=(78.0, 90.0),
    ),
    "soft": Style(
        wavelength_mm=0.8, pulse_mm=0.85, beam_deg=1.05, focus=0.5, defocus=0.5, sidelobe_db=-26.0,
        dynamic_range_db=66.0, headroom_db=23.0, grey_curve=LINEAR, smoothing=0.33, edge_gain=0.0,
        persistence=0.45, noise_db=-2.0, sector_deg=(72.0, 80.0),
    ),
    "grainy": Style(
        wavelength_mm=0.75, pulse_mm=0.55, beam_deg=1.0, focus=0.5, defocus=0.7, sidelobe_db=-25.0,
        dynamic_range_db=62.0, headroom_db=20.0, grey_curve=LIFTED, smoothing=0.15, edge_gain=0.1,
        persistence=0.05, noise_db=5.0, sector_deg=(70.0, 78.0),
    ),
    "handheld": Style(
        wavelength_mm=0.9, pulse_mm=0.95, beam_deg=1.45, focus=0.45, defocus=0.9, sidelobe_db=-22.0,
        dynamic_range_db=50.0, headroom_db=15.0, grey_curve=STEEP, smoothing=0.28, edge_gain=0.35,
        persistence=0.3, noise_db=3.0, sector_deg=(68.0, 80.0), top_cut_mm=(2.0, 6.0), flat_bottom=True,
    ),
    "vintage": Style(
        wavelength_mm=0.95, pulse_mm=0.8, beam_deg=1.3, focus=0.5, defocus=0.8, sidelobe_db=-23.0,
        dynamic_range_db=48.0, headroom_db=16.0, grey_curve=LINEAR, smoothing=0.22, edge_gain=0.0,
        persistence=0.35, noise_db=2.0, sector_deg=(60.0, 75.0), top_cut_mm=(0.0, 3.0),
    ),
}  # fmt: skip


def style_named(name: str) -> Style:
    """Find the style that users call `name`."""
    if name not in STYLES:
        raise ApicalError(f"There is no machine style '{name}'", remedy=nearest(name, STYLES))
    return STYLES[name]
