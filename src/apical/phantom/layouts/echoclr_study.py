"""The private layout of the EchoCLR paper: studies of several parasternal long-axis videos, a CSV a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from apical.phantom.draws import code, generator, splits_by_patient
from apical.phantom.encode import write_avi
from apical.phantom.layouts.base import FILE_FAULTS, TABLE_FAULTS, Layout
from apical.phantom.patient import Patient, Prevalence
from apical.phantom.plan import ClipPlan, Rendering, WrittenClip
from apical.phantom.tables import Row, Tables

__all__ = ["EchoclrStudy"]

MOST_VIDEOS = 5
BEATS = 2.2
GRADES = {
    "none": "None",
    "mild": "Mild",
    "mild_to_moderate": "Mild-Moderate",
    "moderate": "Moderate",
    "severe": "Severe",
}
MASS_IS_UNKNOWN = 0.1


class EchoclrStudy(Layout):
    """`videos/`, `{train,val,test,ext_test}.csv` and `echo_labels.csv`; a patient has one study."""

    title = "EchoCLR studies"
    prevalence = Prevalence(any_as=0.5, severe_as=0.25, hypertrophy=0.35)
    splits: ClassVar = {"train": 0.6, "val": 0.15, "test": 0.15, "ext_test": 0.1}
    labels = ("as_grade", "is_hypertrophic")
    faults = (*FILE_FAULTS, *TABLE_FAULTS, "odd_size", "wrong_frame_count")

    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        """Plan one to five videos a study."""
        for index, split in enumerate(splits_by_patient(self.splits, patients, "echoclr_study", seed)):
            study = f"E{int(code('echoclr_study', seed, index, digits=8), 16) % 10**9:09d}"
            for video in range(
                int(generator("echoclr_study videos", seed, index).integers(1, MOST_VIDEOS + 1))
            ):
                yield ClipPlan(
                    path=f"videos/{study}/{study}_{video + 1}.avi",
                    index=index,
                    clip=video,
                    patient=study,
                    study=study,
                    echo_view="plax",
                    split=split,
                    beats=BEATS,
                )

    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the video."""
        write_avi(folder / rendering.plan.path, rendering.frames, rendering.fps_hz)

    def labels_of(self, plan: ClipPlan) -> tuple[str, ...]:
        """Leave out the hypertrophy of hearts whose mass was never measured."""
        return self.labels[:1] if _is_mass_unknown(plan.study) else self.labels

    def tables(self, clips: Sequence[WrittenClip]) -> Tables:
        """Make a table of videos for each split and one of hypertrophy for all studies."""
        tables: Tables = {
            f"{split}.csv": [_listed(clip) for clip in clips if clip.plan.split == split]
            for split in self.splits
        }
        patients = {clip.plan.study: clip.patient for clip in clips}
        tables["echo_labels.csv"] = [_mass(study, patient) for study, patient in patients.items()]
        return tables

    def number_cells(self, tables: Tables, plan: ClipPlan) -> Iterator[tuple[Row, str]]:
        """Find how surely the clip was called a long-axis one."""
        return ((row, "plax_prob") for row in _rows_of(tables, plan))

    def put_in_second_split(self, tables: Tables, plan: ClipPlan) -> None:
        """List the video in another split's table too."""
        tables[f"{self.other_split(plan)}.csv"].extend(dict(row) for row in list(_rows_of(tables, plan)))


def _rows_of(tables: Tables, plan: ClipPlan) -> Iterator[Row]:
    return (row for row in tables[f"{plan.split}.csv"] if row["fpath"] == plan.path)


def _listed(clip: WrittenClip) -> Row:
    draw = generator("echoclr_study plax", clip.patient.seed, clip.plan.path)
    return {
        "plax_prob": round(float(draw.uniform(0.6, 1.0)), 4),
        "fpath": clip.plan.path,
        "acc_num": clip.plan.study,
        "av_stenosis": GRADES[clip.patient.as_grade],
        "video_num": clip.plan.clip + 1,
    }


def _mass(study: str, patient: Patient) -> Row:
    word = "Hypertrophy" if patient.is_hypertrophic else "Normal"
    return {"Accession Number": study, "LVH_LVMi": "" if _is_mass_unknown(study) else word}


def _is_mass_unknown(study: str) -> bool:
    return bool(generator("echoclr_study mass", study).random() < MASS_IS_UNKNOWN)
