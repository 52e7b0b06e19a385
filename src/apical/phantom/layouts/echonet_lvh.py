"""EchoNet-LVH: parasternal long-axis screen shots of several sizes, and a table with a row a caliper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from apical.phantom.draws import code, generator, splits_by_patient
from apical.phantom.encode import write_avi
from apical.phantom.layouts._screen import on_screen
from apical.phantom.layouts.base import FILE_FAULTS, TABLE_FAULTS, Column, Layout
from apical.phantom.patient import Prevalence
from apical.phantom.plan import ClipPlan, Rendering, WrittenClip
from apical.phantom.tables import Row, Tables

__all__ = ["EchonetLvh"]

SCREENS = ((480, 640), (450, 600), (384, 512), (480, 600))
NUM_BATCHES = 4
FRAMES_PER_SECOND = 30.0
BEATS = 1.7
"""Enough for the calipers of both phases, and quick to render on a large screen."""

CALIPERS = (
    ("IVSd", "ed", "ivs", "ivs_cm"),
    ("LVIDd", "ed", "lvid", "lvid_cm"),
    ("LVPWd", "ed", "lvpw", "lvpw_cm"),
    ("LVIDs", "es", "lvid", "lvid_systole_cm"),
)
"""What the table calls it, the phase, the phantom's name for its ends and for its length."""
CHANCE_OF_A_CALIPER = 0.85


class EchonetLvh(Layout):
    """`MeasurementsList.csv` and `Batch1/` to `Batch4/`."""

    title = "EchoNet-LVH"
    prevalence = Prevalence(hypertrophy=0.4)
    splits: ClassVar = {"train": 0.8, "val": 0.1, "test": 0.1}
    labels = ("ivs_cm", "lvid_cm", "lvpw_cm", "lvid_systole_cm")
    faults = (*FILE_FAULTS, "trace_past_end", *TABLE_FAULTS, "wrong_frame_count")
    listing = Column("MeasurementsList.csv", "HashedFileName", "split")
    number = Column("MeasurementsList.csv", "HashedFileName", "CalcValue")
    tracing = Column("MeasurementsList.csv", "HashedFileName", "Frame")

    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        """Plan one clip a patient, spread over the batches."""
        for index, split in enumerate(splits_by_patient(self.splits, patients, "echonet_lvh", seed)):
            name = "0X" + code("echonet_lvh", seed, index)
            height, width = SCREENS[int(generator("echonet_lvh screen", seed, index).integers(len(SCREENS)))]
            yield ClipPlan(
                path=f"Batch{index % NUM_BATCHES + 1}/{name}.avi",
                index=index,
                clip=0,
                patient=name,
                study=name,
                echo_view="plax",
                split=split,
                height=height,
                width=width,
                beats=BEATS,
                fps_hz=FRAMES_PER_SECOND,
                is_screen=True,
            )

    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the video with the machine's marks around the fan."""
        write_avi(folder / rendering.plan.path, on_screen(rendering), rendering.fps_hz)

    def labels_of(self, plan: ClipPlan) -> tuple[str, ...]:
        """Leave out calipers that were never set; one always is."""
        drawn = generator("echonet_lvh calipers", plan.path).random(len(self.labels)) < CHANCE_OF_A_CALIPER
        return (
            tuple(label for label, is_set in zip(self.labels, drawn, strict=True) if is_set)
            or self.labels[:1]
        )

    def traces(self, rendering: Rendering) -> list[Row]:
        """Make a row a caliper: what it measures, its value, and where its ends lie."""
        labels = self.labels_of(rendering.plan)
        return [_measured(rendering, *caliper) for caliper in CALIPERS if caliper[3] in labels]

    def traced_frames(self, rendering: Rendering) -> tuple[int, ...]:  # noqa: ARG002  Calipers outline nothing
        """Name none."""
        return ()

    def tables(self, clips: Sequence[WrittenClip]) -> Tables:
        """Make the list of measurements, with its unnamed index."""
        rows = [{**row, "split": clip.plan.split} for clip in clips for row in clip.traces]
        return {"MeasurementsList.csv": [{"": number, **row} for number, row in enumerate(rows)]}


def _measured(rendering: Rendering, calc: str, phase: str, caliper: str, label: str) -> Row:
    frame = dict(rendering.phases)[phase]
    x1, y1, x2, y2 = (
        round(float(end), 3) for end in rendering.clip.calipers(rendering.start + frame)[caliper]
    )
    return {
        "HashedFileName": rendering.plan.stem,
        "Calc": calc,
        "CalcValue": round(getattr(rendering.patient, label), 4),
        "Frame": frame,
        "X1": x1,
        "X2": x2,
        "Y1": y1,
        "Y2": y2,
        "Frames": rendering.stop - rendering.start,
        "FPS": rendering.fps_hz,
        "Width": rendering.plan.width,
        "Height": rendering.plan.height,
    }
