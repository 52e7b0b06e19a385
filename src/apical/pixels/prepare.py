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
import numpy.typing as npt

from apical import runlength
from apical.errors import ApicalError
from apical.journal import FrameBytes
from apical.pixels.fit import Fit, make_fit
from apical.pixels.sector import Sector, blank_outside, find_sector
from apical.pixels.task import Prepared, Settings, Task
from apical.pixels.traces import trace_rows
from apical.readers import reader_for
from apical.readers.base import Box, Recording
from apical.sources.base import ClipRecord, Fault

__all__ = ["prepare"]

DARKEST_CLIP = 8
"""A clip whose brightest grey value is below this is blank."""
HASH_BLOCK = 2**20


def prepare(task: Task) -> Prepared:
    """Decode, blank what is outside the sector, fit to the working size, rasterise the traces."""
    record, settings = task.record, task.settings
    recordings = [_read(task.folder, file) for file in record.files]
    merged = _merged(recordings)
    frames, faults = merged.frames, [*_oddities(record, merged, settings)]
    columns: dict[str, Any] = {"source_sha256": _hash(task.folder, record.files)}
    if int(frames.max(initial=0)) < DARKEST_CLIP:
        return _excluded("all frames are blank", columns, faults, merged)
    sector = find_sector(frames, merged.region)
    if sector is None and settings.must_find_sector:
        reason = "no ultrasound sector was found, so text in the picture could not be blanked"
        return _excluded(reason, columns, faults, merged)
    before = frames[len(frames) // 2].copy() if task.thumbnails else None
    blanked = blank_outside(frames, sector) if sector and settings.blanks_outside_sector else 0.0
    if task.thumbnails and before is not None:
        _draw_thumbnail(task.thumbnails / f"{record.clip}.png", before, frames[len(frames) // 2])
    height, width = frames.shape[1:]
    box = sector.box if sector and settings.crops_to_sector else Box(0, 0, height, width)
    fit = make_fit(height, width, box, settings.height, settings.width, settings.fit)
    columns |= _columns(record, merged, fit, sector, box)
    traces, trace_faults = trace_rows(task.folder, record, fit, len(frames))
    stored = np.ascontiguousarray(fit.frames(frames))
    stored.tofile(task.frames_path)
    return Prepared(
        frames=FrameBytes(task.frames_path, 0, stored.nbytes),
        frames_sha256=hashlib.sha256(stored.data).hexdigest(),
        columns=columns,
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


def _oddities(record: ClipRecord, merged: Recording, settings: Settings) -> list[Fault]:
    notes = list(merged.notes)
    num_frames, height, width = merged.frames.shape
    if record.stated_frames is not None and record.stated_frames != num_frames:
        notes.append(f"the table says {record.stated_frames} frames, the file holds {num_frames}")
    if settings.expected_size is not None and settings.expected_size != (height, width):
        notes.append(
            f"frames are {height}×{width} instead of {'×'.join(map(str, settings.expected_size))}; resized"
        )
    return [Fault(level="note", reason=note) for note in notes]


def _excluded(reason: str, columns: dict[str, Any], faults: list[Fault], merged: Recording) -> Prepared:
    fault = Fault(level="clip", reason=reason)
    audit = _audit(merged, None, 0.0)
    return Prepared(columns=columns, faults=(*faults, fault), audit=audit)


def _columns(
    record: ClipRecord, merged: Recording, fit: Fit, sector: Sector | None, box: Box
) -> dict[str, Any]:
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
        "crop_top": box.top,
        "crop_left": box.left,
        "crop_bottom": box.bottom,
        "crop_right": box.right,
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
    return {**asdict(merged.audit), "sector_found": sector is not None, "blanked_share": round(blanked, 4)}


def _draw_thumbnail(path: Path, before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> None:
    from PIL import Image

    Image.fromarray(np.hstack([before, after])).save(path)
