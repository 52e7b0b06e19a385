"""The gallery: a seed comes in, one picture of every echo view in several machine styles goes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from apical.phantom.acquisition import draw_acquisition
from apical.phantom.clip import PhantomClip, render_clip
from apical.phantom.patient import draw_patient

__all__ = ["draw_gallery"]

ECHO_VIEWS = ("a4c", "a2c", "plax", "psax")
STYLES = ("balanced", "soft", "crisp", "vintage")
"""One column pair (end-diastole, end-systole) each."""

SIDE_PX = 192
FPS_HZ, NUM_FRAMES = 25.0, 40
"""Long enough for a beat of a slow heart, and coarse, for only two frames of each clip are shown."""

GAP_PX = 6
HEADER_PX = 26
LABEL_PX = 46
OUTLINES = {"lv": (255, 200, 60), "epi": (90, 190, 255), "la": (255, 110, 130)}
CAPTION = (
    "apical phantom: synthetic, no patient. Left end-diastole, right end-systole; last pair with its truth."
)


def draw_gallery(path: Path, seed: int = 0) -> None:
    """Write the picture of four views by four styles, with the truth drawn into one of each view."""
    columns = 2 * len(STYLES) + 2
    step = SIDE_PX + GAP_PX
    canvas = Image.new("RGB", (LABEL_PX + columns * step, 2 * HEADER_PX + len(ECHO_VIEWS) * step), "black")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=15)
    pen.text((LABEL_PX, 5), CAPTION, fill="white", font=font)
    for column, style in enumerate((*STYLES, STYLES[0])):
        pen.text((LABEL_PX + 2 * column * step, HEADER_PX + 3), style, fill="grey", font=font)
    for row, echo_view in enumerate(ECHO_VIEWS):
        top = 2 * HEADER_PX + row * step
        pen.text((4, top + SIDE_PX // 2), echo_view, fill="grey", font=font)
        for column, tile in enumerate(_row(seed, row, echo_view)):
            canvas.paste(tile, (LABEL_PX + column * step, top))
    canvas.save(path, optimize=True)


def _row(seed: int, row: int, echo_view: str) -> list[Image.Image]:
    """Show one view in each style, at end-diastole and end-systole; then once more with its truth."""
    clips = [_clip(seed, row * len(STYLES) + number, echo_view, style) for number, style in enumerate(STYLES)]
    plain = [_tile(clip, frame) for clip in clips for frame in clip.beats[0]]
    return [*plain, *(_tile(clips[0], frame, tuple(OUTLINES)) for frame in clips[0].beats[0])]


def _clip(seed: int, index: int, echo_view: str, style: str) -> PhantomClip:
    patient = draw_patient(seed, index)
    acquisition = draw_acquisition(
        patient,
        0,
        echo_view,
        height=SIDE_PX,
        width=SIDE_PX,
        style=style,
        fps_hz=FPS_HZ,
        num_frames=NUM_FRAMES,
    )
    return render_clip(patient, acquisition)


def _tile(clip: PhantomClip, frame: int, outlines: Sequence[str] = ()) -> Image.Image:
    tile = Image.fromarray(np.repeat(clip.frames[frame][..., None], 3, axis=-1))
    pen = ImageDraw.Draw(tile)
    for name, points in clip.contours(frame).items():
        if name in outlines:
            ring = [(float(x), float(y)) for x, y in (*points, points[0])]
            pen.line(ring, fill=OUTLINES[name], width=1)
    return tile
