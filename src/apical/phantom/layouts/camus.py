"""CAMUS: two- and four-chamber half cycles as NIfTI, every frame labelled, and lists of patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from apical.phantom.clip import PhantomClip
from apical.phantom.draws import generator, splits_by_patient
from apical.phantom.encode import Pixels, write_nifti
from apical.phantom.layouts.base import FILE_FAULTS, TABLE_FAULTS, Layout
from apical.phantom.plan import ClipPlan, Excerpt, Rendering, WrittenClip
from apical.phantom.tables import Row, Tables

__all__ = ["Camus", "facts", "info_path", "label_image", "lines", "stills"]

IMAGES = "CAMUS_public/database_nifti"
SUBGROUPS = "CAMUS_public/database_split/subgroup_{}.txt"
CHAMBERS_BY_ECHO_VIEW = {"a2c": "2CH", "a4c": "4CH"}
LABELS = {"lv": 1, "myo": 2, "la": 3}
HEIGHTS, WIDTHS = (340, 480), (280, 420)
FRAMES_PER_SECOND = 50.0
ES_COMES_FIRST = 0.15
BEATS, BEATS_WITH_NEXT_ED = 1.7, 2.8
QUALITIES, SHARES = ("Good", "Medium", "Poor"), (0.5, 0.35, 0.15)


class Camus(Layout):
    """`CAMUS_public/database_nifti/patientXXXX/` and `CAMUS_public/database_split/`."""

    title = "CAMUS"
    splits: ClassVar = {"training": 0.8, "validation": 0.1, "testing": 0.1}
    labels: ClassVar[tuple[str, ...]] = ("ef_percent", "spacing_mm")
    faults = (*FILE_FAULTS, "missing_tracings", *TABLE_FAULTS)
    lists_clips = False

    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        """Plan a two- and a four-chamber clip a patient."""
        for index, split in enumerate(splits_by_patient(self.splits, patients, "camus", seed)):
            for clip, echo_view in enumerate(CHAMBERS_BY_ECHO_VIEW):
                yield self.plan(seed, index, clip, echo_view, split)

    def plan(self, seed: int, index: int, clip: int, echo_view: str, split: str) -> ClipPlan:
        """Plan one clip: its size differs from patient to patient, and a few begin with systole."""
        draw = generator("camus size", seed, index)
        patient = f"patient{index + 1:04d}"
        is_reversed = bool(draw.random() < ES_COMES_FIRST)
        return ClipPlan(
            path=self.path(patient, CHAMBERS_BY_ECHO_VIEW[echo_view], split),
            index=index,
            clip=clip,
            patient=patient,
            study=patient,
            echo_view=echo_view,
            split=split,
            height=int(draw.integers(*HEIGHTS)),
            width=int(draw.integers(*WIDTHS)),
            beats=BEATS_WITH_NEXT_ED if is_reversed else BEATS,
            fps_hz=FRAMES_PER_SECOND,
            quirk="es_comes_first" if is_reversed else None,
        )

    def path(self, patient: str, chambers: str, split: str) -> str:  # noqa: ARG002  The old layout sorts by split
        """Where the sequence lies."""
        return f"{IMAGES}/{patient}/{patient}_{chambers}_half_sequence.nii.gz"

    def excerpt(self, plan: ClipPlan, clip: PhantomClip) -> Excerpt:
        """Keep the half cycle from ED to ES, or from ES to the next ED."""
        ed, es = clip.beats[0]
        if plan.quirk and len(clip.beats) > 1:
            ed = clip.beats[1][0]
        return Excerpt(min(ed, es), max(ed, es) + 1, ed, es)

    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the half sequence, its first and last frame, and the labels of all three."""
        spacing_mm = rendering.clip.spacing_mm
        labels = label_image(rendering)
        parts: dict[str, slice | int] = {"half_sequence": slice(None), **stills(rendering)}
        for part, at in parts.items():
            path = str(folder / rendering.plan.path).replace("half_sequence", part)
            write_nifti(Path(path), rendering.frames[at], spacing_mm)
            write_nifti(Path(path.replace(".nii", "_gt.nii")), labels[at], spacing_mm)

    def traced_frames(self, rendering: Rendering) -> tuple[int, ...]:
        """Every frame is labelled."""
        return tuple(range(rendering.stop - rendering.start))

    def files(self, plan: ClipPlan) -> tuple[str, ...]:
        """Name the half sequence and both stills."""
        return tuple(plan.path.replace("half_sequence", part) for part in ("half_sequence", "ED", "ES"))

    def trace_files(self, plan: ClipPlan) -> tuple[str, ...]:
        """Name the label images."""
        return tuple(path.replace(".nii", "_gt.nii") for path in self.files(plan))

    def fact_files(self, plan: ClipPlan) -> tuple[str, ...]:
        """Name the text file of facts."""
        return (info_path(plan),)

    def tables(self, clips: Sequence[WrittenClip]) -> Tables:
        """Make a text file of facts for each clip, and a list of patients for each subgroup."""
        tables: Tables = {
            info_path(clip.plan): lines(
                facts(clip), EF=round(clip.patient.ef_percent, 4), FrameRate=clip.fps_hz
            )
            for clip in clips
        }
        for split in self.splits:
            patients = sorted({clip.plan.patient for clip in clips if clip.plan.split == split})
            tables[SUBGROUPS.format(split)] = [{"": patient} for patient in patients]
        return tables

    def put_in_second_split(self, tables: Tables, plan: ClipPlan) -> None:
        """Write the patient into another list too."""
        tables[SUBGROUPS.format(self.other_split(plan))].append({"": plan.patient})

    def number_cells(self, tables: Tables, plan: ClipPlan) -> Iterator[tuple[Row, str]]:
        """Find the ejection fraction among the facts."""
        return ((row, "value") for row in tables[info_path(plan)] if row["key"] == "EF")


def label_image(rendering: Rendering) -> Pixels:
    """0 outside, 1 cavity, 2 myocardium, 3 atrium: (T, H, W)."""
    labels = np.zeros_like(rendering.frames)
    for frame, image in enumerate(labels):
        for structure, mask in rendering.clip.masks(rendering.start + frame).items():
            if structure in LABELS:
                image[mask] = LABELS[structure]
    return labels


def stills(rendering: Rendering) -> dict[str, int]:
    """Where the stills lie in the sequence."""
    return {phase.upper(): frame for phase, frame in rendering.phases}


def info_path(plan: ClipPlan) -> str:
    """Where the facts of a clip are written."""
    return str(Path(plan.path).with_name(f"Info_{CHAMBERS_BY_ECHO_VIEW[plan.echo_view]}.cfg"))


def facts(clip: WrittenClip) -> dict[str, object]:
    """Tell what both editions do of a clip; frames count from one."""
    assert clip.ed is not None
    assert clip.es is not None
    draw = generator("camus quality", clip.patient.seed, clip.patient.index, clip.plan.clip)
    return {
        "ED": clip.ed + 1,
        "ES": clip.es + 1,
        "NbFrame": clip.num_frames,
        "Sex": clip.patient.sex,
        "Age": clip.patient.age_years,
        "ImageQuality": str(draw.choice(QUALITIES, p=SHARES)),
    }


def lines(facts: Mapping[str, object], **more: object) -> list[Row]:
    """Facts as rows of a `key: value` file."""
    return [{"key": key, "value": value} for key, value in {**facts, **more}.items()]
