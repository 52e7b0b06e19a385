"""Write a whole synthetic data set: a layout's name and a number of patients come in, its folder goes out.

Every file is a pure function of (layout, seed, patients), so the number of processes changes nothing. A run that was
interrupted goes on with the clips that it had not written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from apical.errors import ApicalError
from apical.phantom.acquisition import draw_acquisition
from apical.phantom.clip import render_clip
from apical.phantom.dirt.planting import plant
from apical.phantom.dirt.spoil_files import spoil_files
from apical.phantom.dirt.spoil_tables import spoil_tables
from apical.phantom.folder import TRUTH, Claim
from apical.phantom.layouts.base import Layout
from apical.phantom.logbook import Logbook
from apical.phantom.patient import draw_patient
from apical.phantom.plan import ClipPlan, Rendering, WrittenClip
from apical.phantom.tables import write_tables
from apical.phantom.truth import clip_truth, mask_truth, write_truth
from apical.progress import progress
from apical.registry import load
from apical.workers import Crash, available_cores, ordered_map

__all__ = ["render_plan", "write_layout", "write_phantom"]

MAX_SECONDS_A_CLIP = 600.0


def write_phantom(
    layout: str,
    folder: Path,
    *,
    patients: int,
    seed: int = 0,
    dirt: bool = False,
    processes: int | None = None,
) -> dict[str, int]:
    """Write synthetic patients as the data set `layout` lies on disk; return counts of what was written."""
    chosen: Layout = load("phantom.layouts", layout)()
    faults = chosen.faults if dirt else ()
    return write_layout(chosen, folder, patients=patients, seed=seed, faults=faults, processes=processes)


def write_layout(
    layout: Layout,
    folder: Path,
    *,
    patients: int,
    seed: int = 0,
    faults: Collection[str] = (),
    processes: int | None = None,
) -> dict[str, int]:
    """Write a layout with planted faults of these kinds, as many of them as fit."""
    if patients < 1 or seed < 0:
        raise ApicalError(
            "There is nothing to write",
            seen=f"{patients} patients, seed {seed}",
            remedy="Ask for a patient or more",
        )
    folder = Path(folder)
    claim = Claim(folder, type(layout), patients=patients, seed=seed, faults=sorted(faults))
    claim.take()
    plans = plant(layout, list(layout.plans(patients, seed)), seed, faults)
    logbook = Logbook(folder / TRUTH / ".written.jsonl", layout, folder, seed)
    clips = _write_clips(_ClipWriter(layout, folder, seed), plans, logbook, processes)
    logbook.close()
    counts = {"patients": patients, "clips": len(clips), "frames": sum(clip.num_frames for clip in clips)}
    if faults:
        counts["faults"] = len({plan.fault for plan in plans if plan.fault})
        counts["faults_left_out"] = len(faults) - counts["faults"]
    _write_rest(layout, folder, clips)
    claim.complete(counts)
    return counts


def render_plan(layout: Layout, plan: ClipPlan, seed: int) -> Rendering:
    """Render one clip of a layout: a pure function of the plan and the seed."""
    patient = draw_patient(seed, plan.index, layout.prevalence)
    acquisition = draw_acquisition(
        patient,
        plan.clip,
        plan.rendered_as or plan.echo_view,
        height=plan.height,
        width=plan.width,
        fps_hz=plan.fps_hz,
        is_screen=plan.is_screen,
    )
    if plan.beats is not None:
        seconds = plan.beats * 60.0 / patient.heart_rate_bpm
        acquisition = replace(acquisition, num_frames=max(1, round(seconds * acquisition.fps_hz)))
    clip = render_clip(patient, acquisition)
    start, stop, ed, es = layout.excerpt(plan, clip)
    return Rendering(
        plan=plan,
        patient=patient,
        clip=clip,
        start=start,
        stop=stop,
        ed=None if ed is None else ed - start,
        es=None if es is None else es - start,
    )


@dataclass(frozen=True)
class _ClipWriter:
    """What a worker does: renders one clip, writes its files, and answers with what the tables need."""

    layout: Layout
    folder: Path
    seed: int

    def __call__(self, plan: ClipPlan) -> WrittenClip:
        rendering = render_plan(self.layout, plan, self.seed)
        self.layout.save(self.folder, rendering)
        return WrittenClip(
            plan=plan,
            patient=rendering.patient,
            fps_hz=rendering.fps_hz,
            num_frames=rendering.stop - rendering.start,
            ed=rendering.ed,
            es=rendering.es,
            traces=tuple(self.layout.traces(rendering)),
            truth=clip_truth(self.layout, rendering),
            masks=tuple(mask_truth(self.layout, rendering)),
        )


def _write_clips(
    writer: _ClipWriter, plans: Sequence[ClipPlan], logbook: Logbook, processes: int | None
) -> list[WrittenClip]:
    written = logbook.written(plans)
    left = [plan for plan in plans if plan.path not in written]
    with progress("Rendering", len(plans), "clips", len(written)) as bar:
        for clip in _results(writer, left, min(processes or available_cores(), len(left))):
            logbook.note(clip)
            written[clip.plan.path] = clip
            bar.advance()
    return [written[plan.path] for plan in plans]


def _results(writer: _ClipWriter, plans: Sequence[ClipPlan], processes: int) -> Iterator[WrittenClip]:
    if processes <= 1:  # spare the start of another process
        yield from map(writer, plans)
        return
    for result in ordered_map(writer, plans, processes=processes, timeout_s=MAX_SECONDS_A_CLIP):
        if isinstance(result, ApicalError):
            raise result
        if isinstance(result, Crash):
            raise ApicalError(
                f"A clip can't be rendered: {result.reason}",
                where=str(writer.folder),
                remedy="Run the same command with one process: it says more.",
            )
        yield result


def _write_rest(layout: Layout, folder: Path, clips: Sequence[WrittenClip]) -> None:
    """Write the tables, spoil what is to be spoilt, and tell the truth."""
    tables = layout.tables(clips)
    spoilt = [clip for clip in clips if clip.plan.fault]
    planted = [spoil_tables(layout, tables, clip) for clip in spoilt]
    write_tables(folder, tables)
    planted = [spoil_files(layout, folder, clip, fault) for clip, fault in zip(spoilt, planted, strict=True)]
    write_truth(folder / TRUTH, clips)
    if planted:
        write_tables(folder / TRUTH, {"planted.csv": [fault._asdict() for fault in planted]})
