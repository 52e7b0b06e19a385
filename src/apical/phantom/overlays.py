"""What machines write around the fan: grey frames come in; marks and an ECG come on top, in colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Overlay", "draw_overlays"]

Mask = npt.NDArray[np.bool_]
Grey = npt.NDArray[np.uint8]

TEXTS = ("Adult echo", "16 cm", "MI 1.2", "TIS 0.8", "2D 58 %", "C 50", "P low", "HR 71 bpm")
TRACE_COLOURS = ((70, 220, 110), (240, 210, 70), (90, 200, 240))
ANCHORS = (
    (0.02, 0.01),
    (0.02, 0.72),
    (0.10, 0.01),
    (0.10, 0.72),
    (0.18, 0.01),
    (0.18, 0.74),
    (0.26, 0.01),
    (0.26, 0.76),
)
"""Where texts begin: down and across, as parts of the canvas."""

ECG_WAVES = (
    (-0.18, 0.025, 0.14),
    (-0.025, 0.008, -0.15),
    (0.0, 0.010, 1.0),
    (0.028, 0.009, -0.25),
    (0.30, 0.045, 0.28),
)
"""P, Q, R, S and T: place in the beat, width, height."""

ECG_TOP, ECG_BOTTOM = 0.92, 0.985
"""The strip that the trace runs in, as parts of the height."""

RIM = 0.05
"""The part of the height, above the fan's lowest pixel, that the trace may touch."""

ECG_GAP = 0.04
"""The part of the sweep that is blank ahead of the newest beat."""


class Overlay:
    """The marks of one clip: the same for all its frames, but for the gap that sweeps along the trace."""

    def __init__(
        self,
        sector: Mask,
        key: tuple[int, ...],
        *,
        num_frames: int,
        ed_frames: Sequence[int] = (),
        texts: tuple[str, ...] = TEXTS,
    ) -> None:
        draw = np.random.default_rng(key)
        self.marks = np.where(sector, 0, _draw_marks(sector, texts, draw)).astype(np.uint8)
        """(H, W): grey of texts, ticks and bar, 0 elsewhere."""
        self.trace = _draw_trace(sector, num_frames, ed_frames)
        """(H, W): the whole of the ECG trace."""
        self.colour = TRACE_COLOURS[int(draw.integers(len(TRACE_COLOURS)))]

    @property
    def mask(self) -> Mask:
        """(H, W): every pixel that an overlay may change."""
        return (self.marks > 0) | self.trace

    def draw(self, frames: Grey) -> Grey:
        """Put the marks on grey frames (T, H, W): (T, H, W, 3)."""
        marked = np.repeat(np.maximum(frames, self.marks)[..., None], 3, axis=-1)
        rows, columns = np.nonzero(self.trace)
        sweep = columns / max(frames.shape[2], 1)
        for number, frame in enumerate(marked):
            ahead = (sweep - (number + 1) / len(marked)) % 1.0
            seen = ahead > ECG_GAP
            frame[rows[seen], columns[seen]] = self.colour
        return marked


def draw_overlays(
    frames: Grey,
    sector: Mask,
    key: tuple[int, ...],
    *,
    texts: tuple[str, ...] = TEXTS,
    ed_frames: Sequence[int] = (),
) -> Grey:
    """Mark grey frames (T, H, W) as a machine would: (T, H, W, 3). R waves lie at `ed_frames`."""
    overlay = Overlay(sector, key, num_frames=len(frames), ed_frames=ed_frames, texts=texts)
    return overlay.draw(frames)


def _draw_marks(sector: Mask, texts: tuple[str, ...], draw: np.random.Generator) -> Grey:
    """(H, W): whatever of texts, depth ticks and grey bar finds room beside the fan."""
    canvas = Image.new("L", sector.shape[::-1])
    _write_texts(canvas, sector, texts, draw)
    marks = np.asarray(canvas).copy()
    _rule_depths(marks, sector)
    _paint_bar(marks)
    return marks


def _write_texts(
    canvas: Image.Image, sector: Mask, texts: tuple[str, ...], draw: np.random.Generator
) -> None:
    """Write each text at an anchor of its own, unless it would run into the fan."""
    pen, shade = ImageDraw.Draw(canvas), int(draw.integers(170, 256))
    font = ImageFont.load_default(size=max(7.0, sector.shape[0] / 34))
    order = draw.permutation(len(ANCHORS))
    for text, anchor in zip(texts, order, strict=False):
        down, across = ANCHORS[anchor]
        place = across * canvas.width, down * canvas.height
        left, top, right, bottom = (int(edge) for edge in pen.textbbox(place, text, font=font))
        fits = right < canvas.width and not sector[top : bottom + 2, left : right + 2].any()
        if fits:
            pen.text(place, text, fill=shade, font=font)


def _rule_depths(marks: Grey, sector: Mask) -> None:
    """Rule ticks along the fan's depth near the right edge, every fifth one longer."""
    width = marks.shape[1]
    rows = np.flatnonzero(sector.any(axis=1))
    column = int(0.95 * width)
    for number, row in enumerate(np.linspace(rows[0], rows[-1], 17).astype(int)):
        length = max(2, width // (80 if number % 5 else 40))
        marks[row, column - length : column] = 200


def _paint_bar(marks: Grey) -> None:
    """Paint the scale of greys at the left, white above."""
    height, width = marks.shape
    top, bottom = int(0.40 * height), int(0.62 * height)
    marks[top:bottom, int(0.02 * width) : int(0.02 * width) + max(2, width // 60)] = np.linspace(
        255, 1, bottom - top
    ).astype(np.uint8)[:, None]


def _draw_trace(sector: Mask, num_frames: int, ed_frames: Sequence[int]) -> Mask:
    """(H, W): the ECG of the whole clip, one sweep wide, off the fan but for its lower rim."""
    height, width = sector.shape
    frame = np.arange(width) / width * num_frames
    high = _ecg(frame, ed_frames or range(num_frames // 6, 2 * num_frames, max(num_frames // 3, 1)))
    top, bottom = ECG_TOP * height, ECG_BOTTOM * height
    row = np.clip(top + (bottom - top) * (0.8 - 0.8 * high), top, height - 1)
    former = np.concatenate([row[:1], row[:-1]])
    rows = np.arange(height)[:, None]
    trace = (rows >= np.floor(np.minimum(row, former))) & (rows <= np.floor(np.maximum(row, former)))
    lowest = int(np.flatnonzero(sector.any(axis=1))[-1])
    trace &= ~(sector & (rows < lowest - RIM * height))
    return np.asarray(trace)


def _ecg(frame: npt.NDArray[np.float64], ed_frames: Sequence[int]) -> npt.NDArray[np.float64]:
    """Voltage at each (fractional) frame, its R waves at end-diastole."""
    r_waves = np.asarray(sorted(ed_frames), np.float64)
    length = float(np.diff(r_waves).mean()) if len(r_waves) > 1 else max(float(frame[-1]), 1.0)
    first = r_waves[0] - length * np.ceil(r_waves[0] / length + 1)
    before = np.arange(first, r_waves[0] - 0.5 * length, length)
    after = r_waves[-1] + length * np.arange(1, 2 + int(frame[-1] / length))
    voltage = np.zeros_like(frame)
    for r_wave in (*before, *r_waves, *after):
        place = (frame - r_wave) / length
        for centre, spread, height in ECG_WAVES:
            voltage += height * np.exp(-0.5 * ((place - centre) / spread) ** 2)
    return voltage
