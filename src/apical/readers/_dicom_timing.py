"""Frame rate of a DICOM clip: what the header claims comes in, a plausible rate or None goes out."""

from __future__ import annotations

from statistics import median

from pydicom.dataset import Dataset

from apical.readers._dicom_tags import number, numbers
from apical.readers._plausible import plausible_fps

__all__ = ["frame_rate"]

MS_PER_S = 1000.0


def frame_rate(header: Dataset) -> float | None:
    """The first plausible of frame time, median of the frame time vector, cine rate and display rate."""
    step_ms = number(header, "FrameTime")
    steps_ms = [
        step for step in numbers(header, "FrameTimeVector") if step > 0
    ]  # its first is 0 by definition
    claims = (
        MS_PER_S / step_ms if step_ms else None,
        MS_PER_S / median(steps_ms) if steps_ms else None,
        number(header, "CineRate"),
        number(header, "RecommendedDisplayFrameRate"),
    )
    return next((rate for rate in map(plausible_fps, claims) if rate is not None), None)
