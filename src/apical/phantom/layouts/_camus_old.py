"""CAMUS as it was first released: MetaImage files in two folders, of which `testing` has no truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from apical.phantom.encode import write_mhd
from apical.phantom.layouts.camus import Camus, facts, info_path, label_image, lines, stills
from apical.phantom.plan import ClipPlan, Rendering, WrittenClip
from apical.phantom.tables import Tables

__all__ = ["CamusOld"]


class CamusOld(Camus):
    """`training/` and `testing/`; no user types its name, tests write it."""

    title = "CAMUS, first edition"
    splits: ClassVar = {"training": 0.9, "testing": 0.1}
    labels = ("ef_percent", "esv_ml", "edv_ml", "spacing_mm")

    def path(self, patient: str, chambers: str, split: str) -> str:
        """Where the sequence lies."""
        return f"{split}/{patient}/{patient}_{chambers}_sequence.mhd"

    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the sequence, its first and last frame, and in training the labels of those two."""
        path, spacing_mm = str(folder / rendering.plan.path), rendering.clip.spacing_mm
        write_mhd(Path(path), rendering.frames, spacing_mm)
        for part, frame in stills(rendering).items():
            write_mhd(Path(path.replace("sequence", part)), rendering.frames[frame], spacing_mm)
            if rendering.plan.split == "training":
                truth = label_image(rendering)[frame]
                write_mhd(Path(path.replace("sequence", f"{part}_gt")), truth, spacing_mm)

    def traced_frames(self, rendering: Rendering) -> tuple[int, ...]:
        """ED and ES, in training."""
        return tuple(frame for _, frame in rendering.phases) if rendering.plan.split == "training" else ()

    def labels_of(self, plan: ClipPlan) -> tuple[str, ...]:
        """Keep the testing patients' volumes secret."""
        return self.labels if plan.split == "training" else ("spacing_mm",)

    def tables(self, clips: Sequence[WrittenClip]) -> Tables:
        """Make a text file of facts for each clip."""
        return {info_path(clip.plan): lines(facts(clip), **_volumes(clip)) for clip in clips}


def _volumes(clip: WrittenClip) -> dict[str, object]:
    if clip.plan.split != "training":
        return {}
    patient = clip.patient
    values = {"LVedv": patient.edv_ml, "LVesv": patient.esv_ml, "LVef": patient.ef_percent}
    return {name: round(value, 4) for name, value in values.items()}
