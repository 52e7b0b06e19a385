"""EchoNet-Dynamic: apical four-chamber clips of 112 x 112 pixels, volumes, and one beat traced as chords."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from apical.phantom.draws import code, splits_by_patient
from apical.phantom.encode import write_avi
from apical.phantom.inset import inset_chords
from apical.phantom.layouts.base import FILE_FAULTS, TABLE_FAULTS, TRACE_FAULTS, Column, Layout
from apical.phantom.plan import ClipPlan, Rendering, WrittenClip
from apical.phantom.tables import Row, Tables

__all__ = ["EchonetDynamic"]


class EchonetDynamic(Layout):
    """`FileList.csv`, `VolumeTracings.csv` and `Videos/`."""

    title = "EchoNet-Dynamic"
    splits: ClassVar = {"TRAIN": 0.75, "VAL": 0.125, "TEST": 0.125}
    labels = ("ef_percent", "esv_ml", "edv_ml")
    faults = (*FILE_FAULTS, *TRACE_FAULTS, *TABLE_FAULTS, "odd_size", "wrong_frame_count")
    listing = Column("FileList.csv", "FileName", "Split")
    number = Column("FileList.csv", "FileName", "EF")
    tracing = Column("VolumeTracings.csv", "FileName", "Frame")

    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        """Plan one clip a patient."""
        for index, split in enumerate(splits_by_patient(self.splits, patients, "echonet_dynamic", seed)):
            name = "0X" + code("echonet_dynamic", seed, index)
            yield ClipPlan(
                path=f"Videos/{name}.avi",
                index=index,
                clip=0,
                patient=name,
                study=name,
                echo_view="a4c",
                split=split,
            )

    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the video."""
        write_avi(folder / rendering.plan.path, rendering.frames, rendering.fps_hz)

    def traces(self, rendering: Rendering) -> list[Row]:
        """Make 21 rows a traced frame: the long axis, then 20 chords across it."""
        return [
            {
                "FileName": f"{rendering.plan.stem}.avi",
                **dict(
                    zip(("X1", "Y1", "X2", "Y2"), (round(float(value), 4) for value in line), strict=True)
                ),
                "Frame": frame,
            }
            for _, frame in rendering.phases
            for line in inset_chords(rendering.clip.long_axis_and_chords(rendering.start + frame))
        ]

    def tables(self, clips: Sequence[WrittenClip]) -> Tables:
        """Make the list of files and the table of traces."""
        return {
            "FileList.csv": [_listed(clip) for clip in clips],
            "VolumeTracings.csv": [row for clip in clips for row in clip.traces],
        }


def _listed(clip: WrittenClip) -> Row:
    return {
        "FileName": clip.plan.stem,
        "EF": round(clip.patient.ef_percent, 6),
        "ESV": round(clip.patient.esv_ml, 6),
        "EDV": round(clip.patient.edv_ml, 6),
        "FrameHeight": clip.plan.height,
        "FrameWidth": clip.plan.width,
        "FPS": clip.fps_hz,
        "NumberOfFrames": clip.num_frames,
        "Split": clip.plan.split,
    }
