"""EchoNet-Pediatric: apical and short-axis clips of children, folds for splits, traces as contour points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from apical.phantom.draws import code, generator, splits_by_patient
from apical.phantom.encode import write_avi
from apical.phantom.inset import inset_outline
from apical.phantom.layouts.base import FILE_FAULTS, TRACE_FAULTS, Column, Layout
from apical.phantom.plan import ClipPlan, Rendering, WrittenClip
from apical.phantom.tables import Row, Tables

__all__ = ["EchonetPediatric"]

ROOT = "pediatric_echo_avi/pediatric_echo_avi"
FOLDER_BY_ECHO_VIEW = {"a4c": "A4C", "psax": "PSAX"}
HAS_SHORT_AXIS = 0.75
HAS_NO_SYSTOLE = 0.08


class EchonetPediatric(Layout):
    """`A4C/` and `PSAX/`, each with `FileList.csv`, `VolumeTracings.csv` and `Videos/`, two folders deep."""

    title = "EchoNet-Pediatric"
    splits: ClassVar = dict.fromkeys("9801234567", 0.1)
    """Ten folds; the last two are what others use for testing and validation."""
    labels = ("ef_percent",)
    faults = (
        *FILE_FAULTS,
        *TRACE_FAULTS,
        "text_in_number",
        "patient_in_two_splits",
        "odd_size",
        "wrong_frame_count",
    )
    listing = Column("FileList.csv", "FileName", "Split")
    number = Column("FileList.csv", "FileName", "EF")
    tracing = Column("VolumeTracings.csv", "FileName", "Frame")

    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        """Plan an apical clip a patient, and a short-axis one for most."""
        for index, fold in enumerate(splits_by_patient(self.splits, patients, "echonet_pediatric", seed)):
            draw = generator("echonet_pediatric", seed, index)
            echo_views = ("a4c", "psax") if draw.random() < HAS_SHORT_AXIS else ("a4c",)
            for clip, echo_view in enumerate(echo_views):
                yield _plan(
                    seed,
                    index,
                    clip,
                    echo_view,
                    fold,
                    "no_systole" if draw.random() < HAS_NO_SYSTOLE else None,
                )

    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the video."""
        write_avi(folder / rendering.plan.path, rendering.frames, rendering.fps_hz)

    def traces(self, rendering: Rendering) -> list[Row]:
        """Make a row a contour point; where systole was not traced, one row says so in words."""
        name = f"{rendering.plan.stem}.avi"
        rows: list[Row] = []
        for phase, frame in rendering.phases:
            if phase == "es" and rendering.plan.quirk == "no_systole":
                rows.append({"FileName": name, "X": "", "Y": "", "Frame": "No Systolic"})
                continue
            for x, y in inset_outline(rendering.clip.contours(rendering.start + frame)["lv"]):
                rows.append(
                    {"FileName": name, "X": round(float(x), 3), "Y": round(float(y), 3), "Frame": frame}
                )
        return rows

    def tables(self, clips: Sequence[WrittenClip]) -> Tables:
        """Make both tables of both echo views."""
        tables: Tables = {}
        for echo_view, name in FOLDER_BY_ECHO_VIEW.items():
            ours = [clip for clip in clips if clip.plan.echo_view == echo_view]
            tables[f"{ROOT}/{name}/FileList.csv"] = [_listed(clip) for clip in ours]
            tables[f"{ROOT}/{name}/VolumeTracings.csv"] = [row for clip in ours for row in clip.traces]
        return tables


def _plan(seed: int, index: int, clip: int, echo_view: str, fold: str, quirk: str | None) -> ClipPlan:
    patient = "CR" + code("echonet_pediatric patient", seed, index, digits=8).lower()
    study = "CR" + code("echonet_pediatric study", seed, index, digits=8).lower()
    return ClipPlan(
        path=f"{ROOT}/{FOLDER_BY_ECHO_VIEW[echo_view]}/Videos/{patient}-{study}-{clip + 1:06d}.avi",
        index=index,
        clip=clip,
        patient=patient,
        study=f"{patient}-{study}",
        echo_view=echo_view,
        split=fold,
        quirk=quirk,
    )


def _listed(clip: WrittenClip) -> Row:
    """Make a row of the list; the heart is the phantom's own, the child around it is drawn here."""
    draw = generator("echonet_pediatric child", clip.patient.seed, clip.patient.index)
    age_years = int(draw.integers(0, 19))
    height_cm = 52 + 6.5 * age_years + float(draw.normal(0, 4))
    return {
        "FileName": f"{clip.plan.stem}.avi",
        "EF": round(clip.patient.ef_percent, 6),
        "Sex": clip.patient.sex,
        "Age": age_years,
        "Weight": round(float(draw.uniform(13, 21)) * (height_cm / 100) ** 2, 1),
        "Height": round(height_cm, 1),
        "Split": clip.plan.split,
    }
