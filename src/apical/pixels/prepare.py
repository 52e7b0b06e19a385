"""One clip's way into a dataset: its record comes in; fitted, de-identified frames and their rows go out.

Runs in a worker process, where a decoder may crash or hang without harm; so it imports little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from apical import runlength
from apical.errors import ApicalError, writing
from apical.journal import FrameBytes
from apical.pixels.fit import Fit, make_fit
from apical.pixels.sector import Sector, blank_outside, find_sector
from apical.pixels.task import Prepared, Settings, Task
from apical.pixels.traces import trace_rows
from apical.readers import reader_for
from apical.readers.base import Box, Frames, Recording
from apical.sources.base import ClipRecord, Fault

__all__ = ["prepare"]

DARKEST_CLIP = 8
"""A clip whose brightest grey value is below this is blank."""
HASH_BLOCK = 2**20
LOOK_AT = {"outline": "a convex outline", "whole frame": "the whole frame"}


def prepare(task: Task) -> Prepared:
    """Decode, blank what is outside the sector, fit to the working size, rasterise the traces."""
    record, settings = task.record, task.settings
    merged = _merged([_read(task.folder, file) for file in record.files])
    columns: dict[str, Any] = {"source_sha256": _hash(task.folder, (*record.files, *record.companions))}
    sector = find_sector(merged.frames, merged.region)
    faults = _oddities(record, merged, settings, sector)
    if reason := _reason_to_exclude(merged, sector, settings):
        fault = Fault(level="clip", reason=reason)
        return Prepared(columns=columns, faults=(*faults, fault), audit=_audit(merged, sector, 0.0))
    blanked = _blank(task, merged, sector)
    fit = _fit(merged, sector, settings)
    stored = _stored(merged, fit, sector if settings.blanks_outside_sector else None)
    _leave(stored, task.frames_path)
    traces, trace_faults = trace_rows(task.folder, record, fit, len(stored))
    return Prepared(
        frames=FrameBytes(task.frames_path, 0, stored.nbytes),
        columns=columns | _columns(record, merged, fit, sector),
        traces=traces,
        faults=(*faults, *trace_faults),
        audit=_audit(merged, sector, blanked),
    )


def _read(folder: Path, file: Path) -> Recording:
    path = folder / file
    if not path.is_file():
        raise ApicalError("the file is missing", remedy="Fetch it again, or leave the clip out.")
    if path.stat().st_size == 0:
        raise ApicalError("the file is empty", remedy="Fetch it again, or leave the clip out.")
    return reader_for(path).read(path)


def _merged(recordings: Sequence[Recording]) -> Recording:
    """One recording of the frames of all files, in order."""
    if len(recordings) == 1:
        return recordings[0]
    sizes = {recording.frames.shape[1:] for recording in recordings}
    if len(sizes) > 1:
        raise ApicalError(
            f"its {len(recordings)} files have frames of {len(sizes)} sizes",
            remedy="Give frames of one size a clip.",
        )
    frames = np.concatenate([recording.frames for recording in recordings])
    notes = tuple(dict.fromkeys(note for recording in recordings for note in recording.notes))
    return replace(recordings[0], frames=frames, stated_frames=None, notes=notes)


def _oddities(
    record: ClipRecord, merged: Recording, settings: Settings, sector: Sector | None
) -> list[Fault]:
    notes = list(merged.notes)
    if settings.must_find_sector and sector and sector.shape != "fan":
        notes.append(
            f"its sector is no fan but {LOOK_AT[sector.shape]}: look whether text is left in the picture"
        )
    num_frames, height, width = merged.frames.shape
    if record.stated_frames is not None and record.stated_frames != num_frames:
        notes.append(f"the table says {record.stated_frames} frames, the file holds {num_frames}")
    if settings.expected_size is not None and settings.expected_size != (height, width):
        notes.append(
            f"frames are {height}×{width} instead of {'×'.join(map(str, settings.expected_size))}; resized"
        )
    return [Fault(level="note", reason=note) for note in notes]


def _reason_to_exclude(merged: Recording, sector: Sector | None, settings: Settings) -> str | None:
    if int(merged.frames.max(initial=0)) < DARKEST_CLIP:
        return "all frames are blank"
    if sector is None and settings.must_find_sector:
        return "no ultrasound sector was found, so text in the picture could not be blanked"
    return None


def _blank(task: Task, merged: Recording, sector: Sector | None) -> float:
    """Make what lies outside the sector black; return its share of all that was not."""
    middle = len(merged.frames) // 2
    before = merged.frames[middle].copy() if task.thumbnails else None
    blanks = sector is not None and task.settings.blanks_outside_sector
    blanked = blank_outside(merged.frames, sector) if sector and blanks else 0.0
    if task.thumbnails and before is not None:
        picture = Image.fromarray(np.hstack([before, merged.frames[middle]]))
        picture.save(task.thumbnails / f"{task.record.clip}.png")
    return blanked


def _fit(merged: Recording, sector: Sector | None, settings: Settings) -> Fit:
    height, width = merged.frames.shape[1:]
    box = sector.box if sector and settings.crops_to_sector else Box(0, 0, height, width)
    return make_fit(height, width, box, settings.height, settings.width, settings.fit)


def _stored(merged: Recording, fit: Fit, sector: Sector | None) -> Frames:
    """The frames as they enter the dataset, without the rim of grey that resizing leaves beside the sector."""
    stored = np.ascontiguousarray(fit.frames(merged.frames))
    if sector is not None and not fit.is_identity:
        stored *= fit.labels(sector.mask).view(np.uint8)
    return stored


def _leave(frames: Frames, path: Path) -> None:
    """Write frames over what the file held; its length does not matter."""
    with writing(str(path.parent)), path.open("r+b" if path.exists() else "wb", buffering=0) as file:
        left = frames.data.cast("B")
        while left:
            left = left[file.write(left) :]


def _columns(record: ClipRecord, merged: Recording, fit: Fit, sector: Sector | None) -> dict[str, Any]:
    num_frames, height, width = merged.frames.shape
    spacing = record.spacing_mm or merged.spacing_mm
    stored_spacing = fit.spacing(*spacing) if spacing else (None, None)
    stored_sector = fit.labels(sector.mask) if sector and not sector.mask.all() else None
    return {
        "num_frames": num_frames,
        "height": fit.stored_height,
        "width": fit.stored_width,
        "fps_hz": record.fps_hz or merged.fps_hz,
        "spacing_mm_y": stored_spacing[0],
        "spacing_mm_x": stored_spacing[1],
        "source_height": height,
        "source_width": width,
        "crop_top": fit.box.top,
        "crop_left": fit.box.left,
        "crop_bottom": fit.box.bottom,
        "crop_right": fit.box.right,
        "sector_runs": None if stored_sector is None else runlength.encode(stored_sector),
    }


def _hash(folder: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with (folder / file).open("rb") as opened:
            while block := opened.read(HASH_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _audit(merged: Recording, sector: Sector | None, blanked: float) -> Mapping[str, Any] | None:
    if merged.audit is None:
        return None
    shape = sector.shape if sector else "not found"
    return {**asdict(merged.audit), "sector": shape, "blanked_share": round(blanked, 4)}
