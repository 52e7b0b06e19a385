"""A study explained as a video: the clip, the same with its saliency, and how much each frame counts below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from apical.explained import Explained
from apical.pictures.heat import heated
from apical.pictures.run_sheet import NOTICE
from apical.pictures.video import write_video

if TYPE_CHECKING:
    Drawing = ImageDraw.ImageDraw

__all__ = ["composed", "write_explanation_video"]

Pixels = npt.NDArray[np.uint8]

FPS_HZ = 6
"""Slower than life, so that single frames can be seen."""
SIDE, GAP = 352, 8
"""The longer side of a panel, and what lies between things, in pixels."""
HEADING, BARS, FOOT = 58, 52, 26
PAPER, INK, FAINT, BAR, NOW = (24, 26, 30), (235, 238, 242), (150, 160, 174), (88, 110, 140), (255, 210, 60)


def write_explanation_video(explained: Explained, way: str, path: Path, note: str) -> Path:
    """Write it; the path with the ending that the video got."""
    return write_video(path, composed(explained, way, note), FPS_HZ)


def composed(explained: Explained, way: str, note: str) -> Pixels:
    """The video's frames (T, H, W, 3)."""
    hot = heated(explained.pixels, explained.maps)
    size = _panel_size(explained)
    places = range(len(explained.frames))
    return np.stack([_picture(explained, hot[place], place, size, way, note) for place in places])


def _panel_size(explained: Explained) -> tuple[int, int]:
    """(width, height) in the true proportions, both even."""
    height, width = explained.pixels.shape[1:]
    scale = SIDE / max(height * explained.aspect, width)
    return 2 * round(width * scale / 2), 2 * round(height * explained.aspect * scale / 2)


def _picture(
    explained: Explained, hot: Pixels, place: int, size: tuple[int, int], way: str, note: str
) -> Pixels:
    width, height = 2 * size[0] + 3 * GAP, size[1]
    sheet = Image.new("RGB", (width - width % 2, HEADING + height + BARS + FOOT), PAPER)
    drawing = ImageDraw.Draw(sheet)
    for column, pixels in enumerate((explained.pixels[place], hot)):
        panel = Image.fromarray(pixels).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        sheet.paste(panel, (GAP + column * (size[0] + GAP), HEADING))
    _write_heading(drawing, explained, place, way)
    _draw_bars(drawing, explained.importance, place, (GAP, HEADING + height + GAP, sheet.width - GAP))
    foot = sheet.height - FOOT + 6
    drawing.text((GAP, foot), NOTICE, FAINT, ImageFont.load_default(11))
    drawing.text((sheet.width - GAP, foot), note, NOW, ImageFont.load_default(11), anchor="ra")
    return np.asarray(sheet)


def _write_heading(drawing: Drawing, explained: Explained, place: int, way: str) -> None:
    case = explained.case
    first, second = (
        f"{case.study[:24]}  {case.verdict}",
        f"What speaks for '{case.answer}', by {way}. Below: when.",
    )
    drawing.text((GAP, 8), first, INK, ImageFont.load_default(17))
    drawing.text((GAP, 34), second, FAINT, ImageFont.load_default(13))
    frame = f"frame {explained.frames[place]}"
    drawing.text((drawing.im.size[0] - GAP, 34), frame, INK, ImageFont.load_default(13), anchor="ra")


def _draw_bars(
    drawing: Drawing, importance: npt.NDArray[np.float64], now: int, box: tuple[int, int, int]
) -> None:
    """One bar a frame, as high as it is important; the frame that is shown in another colour."""
    left, top, right = box
    step, bottom = (right - left) / len(importance), top + BARS - 2 * GAP
    for place, share in enumerate(importance.tolist()):
        begin, end = left + place * step, left + (place + 1) * step - 2
        if place == now:
            drawing.rectangle((begin, top, end, bottom + 4), (52, 58, 68))
        drawing.rectangle((begin, bottom - share * (bottom - top), end, bottom), NOW if place == now else BAR)
