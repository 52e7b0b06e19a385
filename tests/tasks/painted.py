"""Datasets with painted hearts, made in no time: ellipses whose masks are known, at any size, fit and spacing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from apical import runlength
from apical.dataset import CLIP_COLUMNS, TRACE_COLUMNS, Dataset, DatasetCard, clip_schema
from apical.pixels.fit import Fit, make_fit
from apical.readers.base import Box

Mask = npt.NDArray[np.bool_]
SPLITS = ("train",) * 5 + ("val", "test", "test")
PHASES = {0: "ed", 2: "es"}
"""Traced frames."""
STRUCTURES = ("lv", "myo", "la")
GRADES = ("none", "mild", "severe")
GREYS = {"lv": 20, "myo": 190, "la": 90}
BACKGROUND = 50


@dataclass(frozen=True, kw_only=True)
class Painting:
    """How the hearts of a dataset are painted."""

    splits: Sequence[str] = SPLITS
    """One a patient."""
    echo_views: Sequence[str] = ("a4c", "a2c")
    num_frames: int = 4
    source: tuple[int, int] = (80, 60)
    """Height and width of the frames on disk."""
    stored: tuple[int, int] = (40, 32)
    mode: Literal["stretch", "pad"] = "stretch"
    spacing: tuple[float, float] | None = (0.8, 0.8)
    """(y, x) in mm of the source's pixels."""
    structures: Sequence[str] = STRUCTURES
    untraced: Sequence[tuple[str, str]] = ()
    """Structures, or phases, that are left out in clips whose names begin so."""

    @property
    def fit(self) -> Fit:
        """How frames are stored."""
        height, width = self.source
        return make_fit(height, width, Box(0, 0, height, width), *self.stored, self.mode)


def painted(folder: Path, **settings: Any) -> Dataset:
    """Write a dataset of painted hearts: a clip a patient and echo view, traced at end-diastole and end-systole."""
    painting = Painting(**settings)
    folder.mkdir(parents=True)
    rows, traces, frames = [], [], []
    for index, (patient, split, view) in enumerate(_clips(painting)):
        pictures, masks = _clip(painting, index)
        frames.append(painting.fit.frames(pictures))
        clip = f"{patient}-{view}"
        rows.append(_row(painting, clip, patient, view, split, sum(part.size for part in frames[:-1])))
        traces += list(_traces(painting, clip, masks))
    schema = clip_schema(("ef_percent", "as_severe", "as_grade"), ("as_grade",))
    pl.DataFrame(rows, schema=schema).write_parquet(folder / "clips.parquet")
    pl.DataFrame(traces, schema=pl.Schema(TRACE_COLUMNS)).write_parquet(folder / "traces.parquet")
    np.concatenate([part.ravel() for part in frames]).tofile(folder / "frames.u8")
    _card(painting).write(folder / "dataset.json")
    return Dataset.open(folder)


def heart(painting: Painting, index: int, frame: int) -> dict[str, Mask]:
    """The masks (H, W) of a frame at the source's size; hearts and frames differ."""
    height, width = painting.source
    random = np.random.default_rng(index)
    y, x = np.mgrid[:height, :width]
    beat = 1 - (0.1 + 0.15 * random.random()) * np.sin(np.pi * min(frame, 4) / 4)
    row, column = height * (0.42 + random.uniform(-0.04, 0.04)), width * (0.5 + random.uniform(-0.06, 0.06))

    def ellipse(down: float, tall: float, wide: float) -> Mask:
        return np.asarray(
            ((y - row - down * height) / (tall * height)) ** 2 + ((x - column) / (wide * width)) ** 2 <= 1
        )

    lv = ellipse(0, 0.26 * beat, 0.2 * beat)
    return {
        "lv": lv,
        "myo": ellipse(0, 0.31, 0.28) & ~lv & (y < row + 0.2 * height),
        "la": ellipse(0.4, 0.1, 0.16),
    }


def _clips(painting: Painting) -> Iterator[tuple[str, str, str]]:
    for number, split in enumerate(painting.splits):
        for view in painting.echo_views:
            yield f"p{number:02}", split, view


def _clip(painting: Painting, index: int) -> tuple[npt.NDArray[np.uint8], list[dict[str, Mask]]]:
    """Frames (T, H, W) at the source's size, and their masks."""
    masks = [heart(painting, index, frame) for frame in range(painting.num_frames)]
    noise = np.random.default_rng([index, 1]).normal(0, 8, (painting.num_frames, *painting.source))
    pictures = noise + BACKGROUND
    for frame, of_frame in enumerate(masks):
        for structure, mask in of_frame.items():
            pictures[frame][mask] += GREYS[structure] - BACKGROUND
    return pictures.clip(0, 255).astype(np.uint8), masks


def _row(painting: Painting, clip: str, patient: str, view: str, split: str, offset: int) -> dict[str, Any]:
    (height, width), (source_height, source_width) = painting.stored, painting.source
    known = painting.spacing is not None
    spacing = painting.fit.spacing(*(painting.spacing or (1.0, 1.0)))
    return dict.fromkeys(CLIP_COLUMNS) | {
        "clip": clip,
        "patient": patient,
        "study": f"{patient}s",
        "echo_view": view,
        "split": split,
        "is_cine": True,
        "num_frames": painting.num_frames,
        "height": height,
        "width": width,
        "spacing_mm_y": spacing[0] if known else None,
        "spacing_mm_x": spacing[1] if known else None,
        "offset": offset,
        "source_height": source_height,
        "source_width": source_width,
        "crop_top": 0,
        "crop_left": 0,
        "crop_bottom": source_height,
        "crop_right": source_width,
        "ef_percent": 55.0,
        "as_severe": float(int(patient[1:]) % 2),
        "as_grade": GRADES[int(patient[1:]) % 3],
    }


def _traces(painting: Painting, clip: str, masks: Sequence[Mapping[str, Mask]]) -> Iterator[dict[str, Any]]:
    left_out = {what for beginning, what in painting.untraced if clip.startswith(beginning)}
    for frame, phase in PHASES.items():
        for structure in painting.structures:
            if {structure, phase} & left_out:
                continue
            mask = masks[frame][structure]
            yield {
                "clip": clip,
                "frame": frame,
                "phase": phase,
                "structure": structure,
                "runs": runlength.encode(painting.fit.labels(mask)),
                "source_runs": None if painting.fit.is_identity else runlength.encode(mask),
                "source_height": painting.source[0],
                "source_width": painting.source[1],
            }


def _card(painting: Painting) -> DatasetCard:
    return DatasetCard(
        source="painted",
        title="Painted hearts",
        licence="none needed",
        citation="",
        url="",
        is_synthetic=True,
        preprocessing={"fit": painting.mode},
        counts={},
        exclusions={},
        content_sha256=hashlib.sha256(repr(painting).encode()).hexdigest(),
        tool_version="0",
    )
