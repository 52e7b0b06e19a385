"""A tree of DICOM files as a hospital exports them: screen shots, several codecs, invented identities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydicom.dataset import Dataset

from apical.phantom.dicom_pixels import STORAGE_KINDS, write_dicom
from apical.phantom.dicom_tags import (
    ECHO_VIEW_KINDS,
    REGION_KINDS,
    add_echo_view,
    add_identity,
    add_regions,
    add_timing,
    identity_of,
)
from apical.phantom.draws import generator
from apical.phantom.layouts._screen import on_screen
from apical.phantom.layouts.base import Layout
from apical.phantom.plan import ClipPlan, Rendering, WrittenClip
from apical.phantom.tables import Tables

__all__ = ["Dicom"]

HEIGHT, WIDTH = 480, 640
BEATS = 1.7
FRAMES_PER_SECOND = 30.0
HAS_LONG_AXIS = 0.5
STRIDE = 7
"""So that a few patients meet all kinds: it has no factor in common with any number of kinds."""
WITHOUT_ENDING = 3
"""One file in so many has no ending."""


class Dicom(Layout):
    """`NAME_OF_PATIENT/STUDY/IM0001.dcm`: there is no table, the headers tell everything."""

    title = "DICOM folder"
    labels = ("spacing_mm", "echo_view")
    faults = ("unreadable_file", "truncated_file", "blank")

    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        """Plan both apical clips of a study, and for half of the patients a long-axis one."""
        for index in range(patients):
            has_long_axis = generator("dicom", seed, index).random() < HAS_LONG_AXIS
            for clip, echo_view in enumerate(("a4c", "a2c", "plax")[: 3 if has_long_axis else 2]):
                yield _plan(seed, index, clip, echo_view)

    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the file; how it is stored and what is odd about it goes by turns."""
        plan, person = rendering.plan, identity_of(rendering.patient.seed, rendering.plan.index)
        kinds = _kinds(plan.index, plan.clip)
        header = Dataset()
        header.SpecificCharacterSet = "ISO_IR 100"
        header.Modality, header.Manufacturer = "US", "apical phantom"
        add_identity(header, plan, person)
        add_timing(header, rendering, by_frame_time=_turn(plan.index, plan.clip) % 2 == 0)
        add_regions(header, rendering, kinds.region)
        add_echo_view(header, plan.echo_view, kinds.echo_view)
        write_dicom(folder / plan.path, header, on_screen(rendering, person.texts), kinds.storage)

    def labels_of(self, plan: ClipPlan) -> tuple[str, ...]:
        """Leave out the spacing where no region tells one that can be believed, and an echo view not told."""
        kinds = _kinds(plan.index, plan.clip)
        told = (kinds.region not in ("none", "larger_than_image"), kinds.echo_view != "none")
        return tuple(label for label, is_told in zip(self.labels, told, strict=True) if is_told)

    def tables(self, clips: Sequence[WrittenClip]) -> Tables:  # noqa: ARG002  There are none
        """Make no table."""
        return {}


def _plan(seed: int, index: int, clip: int, echo_view: str) -> ClipPlan:
    person = identity_of(seed, index)
    ending = "" if _turn(index, clip) % WITHOUT_ENDING == WITHOUT_ENDING - 1 else ".dcm"
    study = f"ECHO_{person.study_date}"
    return ClipPlan(
        path=f"{person.name.replace('^', '_')}_{index:04d}/{study}/IM{clip + 1:04d}{ending}",
        index=index,
        clip=clip,
        patient=person.number,
        study=f"{person.number} {study}",
        echo_view=echo_view,
        height=HEIGHT,
        width=WIDTH,
        beats=BEATS,
        fps_hz=FRAMES_PER_SECOND,
        is_screen=True,
        quirk=" ".join(_kinds(index, clip)),
    )


def _turn(index: int, clip: int) -> int:
    return STRIDE * index + clip


class _Kinds(NamedTuple):
    """How the pixels are stored, what is odd about the regions, and how the echo view is told."""

    storage: str
    region: str
    echo_view: str


def _kinds(index: int, clip: int) -> _Kinds:
    turn = _turn(index, clip)
    return _Kinds(
        *(kinds[turn % len(kinds)] for kinds in (tuple(STORAGE_KINDS), REGION_KINDS, ECHO_VIEW_KINDS))
    )
