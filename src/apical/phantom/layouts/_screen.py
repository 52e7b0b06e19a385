"""Screen shots: a rendering comes in, its frames with the machine's marks around the fan go out."""

from __future__ import annotations

import numpy as np

from apical.phantom.encode import Pixels
from apical.phantom.overlays import TEXTS, draw_overlays
from apical.phantom.plan import Rendering

__all__ = ["on_screen"]


def on_screen(rendering: Rendering, texts: tuple[str, ...] = TEXTS) -> Pixels:
    """Colour frames (T, H, W, 3) with texts, ticks, and an ECG whose R waves lie at end-diastole."""
    ends = [ed - rendering.start for ed, _ in rendering.clip.beats]
    key = (rendering.patient.seed, rendering.patient.index, rendering.plan.clip)
    if rendering.plan.fault == "blank":
        return np.repeat(rendering.frames[..., None], 3, axis=-1)
    return draw_overlays(rendering.frames, rendering.clip.sector, key, texts=texts, ed_frames=ends)
