"""TMED-2: stills with aortic stenosis grades, sets that have both labels, one, or none, and three folds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import ClassVar

from apical.phantom.clip import PhantomClip
from apical.phantom.draws import generator, splits_by_patient
from apical.phantom.encode import write_png
from apical.phantom.layouts.base import FILE_FAULTS, Column, Layout
from apical.phantom.patient import Prevalence
from apical.phantom.plan import ClipPlan, Excerpt, Rendering, WrittenClip
from apical.phantom.tables import Row, Tables

__all__ = ["Tmed2"]

ROOT = "approved_users_only"
BOTH, ECHO_VIEW_ONLY, NEITHER = "view_and_diagnosis_labeled_set", "view_labeled_set", "unlabeled_set"
SET_BY_TURN = (BOTH, BOTH, BOTH, BOTH, ECHO_VIEW_ONLY, NEITHER)
FOLDER_OF_UNLABELED = {
    BOTH: f"{BOTH}/unlabeled",
    ECHO_VIEW_ONLY: f"{ECHO_VIEW_ONLY}/unlabeled",
    NEITHER: f"{NEITHER}/{NEITHER}",
}

LABEL_BY_ECHO_VIEW = {"plax": "PLAX", "psax": "PSAX", "a2c": "A2C", "a4c": "A4C", "other": "A4CorA2CorOther"}
IMAGES = ("plax", "plax", "psax", "a4c", "a2c", "other", None, None)
"""Echo views of a study's images; None is an image without a label."""
UNLABELED_TURNS = ("a4c", "plax", "psax", "a2c")
GRADES = {
    "none": "no_AS",
    "mild": "mild_AS",
    "mild_to_moderate": "mildtomod_AS",
    "moderate": "moderate_AS",
    "severe": "severe_AS",
}
NUM_FOLDS = 3
DEVELOPMENT_SHARES = {"DEV479": 1.0, "DEV165": 165 / 479, "DEV56": 56 / 479}
FIRST_PATIENT, HAS_SECOND_STUDY = 1001, 0.15


class Tmed2(Layout):
    """`approved_users_only/`: one CSV of all labels, three folds in three sizes, and three sets of images."""

    title = "TMED-2"
    prevalence = Prevalence(any_as=0.7, severe_as=0.25)
    splits: ClassVar = {"train": 0.6, "val": 0.2, "test": 0.2}
    labels = ("as_grade",)
    faults = (*FILE_FAULTS, "patient_in_two_splits", "odd_size")
    listing = Column("DEV479/TMED2_fold0_labeledpart.csv", "query_key", "view_classifier_split")

    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        """Plan the images of one or two studies a patient."""
        splits = fold_splits(patients, seed, 0)
        for index in range(patients):
            num_studies = 2 if generator("tmed2 studies", seed, index).random() < HAS_SECOND_STUDY else 1
            for image in range(num_studies * len(IMAGES)):
                yield _plan(index, image, splits[index])

    def save(self, folder: Path, rendering: Rendering) -> None:
        """Write the still."""
        write_png(folder / rendering.plan.path, rendering.frames[0])

    def excerpt(self, plan: ClipPlan, clip: PhantomClip) -> Excerpt:  # noqa: ARG002  All are stills
        """Keep one frame, of no known phase."""
        return Excerpt(0, 1, None, None)

    def labels_of(self, plan: ClipPlan) -> tuple[str, ...]:
        """Only the fully labelled set tells the grade, and only beside an echo view."""
        return self.labels if f"{BOTH}/labeled/" in plan.path else ()

    def tables(self, clips: Sequence[WrittenClip]) -> Tables:
        """Make the table of all labels and the folds."""
        listed = [clip for clip in clips if clip.plan.quirk != "unlisted"]
        tables: Tables = {f"{ROOT}/labels_per_image.csv": [_labels(clip) for clip in listed]}
        patients = 1 + max((clip.plan.index for clip in clips), default=-1)
        for fold in range(NUM_FOLDS):
            splits = fold_splits(patients, clips[0].patient.seed, fold)
            for size, share in DEVELOPMENT_SHARES.items():
                kept = _kept(splits, share)
                rows = [_in_fold(clip, splits[clip.plan.index]) for clip in listed if clip.plan.index in kept]
                tables[f"{ROOT}/{size}/TMED2_fold{fold}_labeledpart.csv"] = rows
        return tables

    def put_in_second_split(self, tables: Tables, plan: ClipPlan) -> None:
        """Move one of the patient's images elsewhere."""
        for _, row in self.listing.rows(tables, plan):
            for column in ("view_classifier_split", "diagnosis_classifier_split"):
                row[column] = self.other_split(plan)


def fold_splits(patients: int, seed: int, fold: int) -> list[str]:
    """Assign a split to each patient in a fold; validation and test are fully labelled."""
    sets = [SET_BY_TURN[index % len(SET_BY_TURN)] for index in range(patients)]
    drawn = iter(splits_by_patient(Tmed2.splits, sets.count(BOTH), "tmed2", seed, fold))
    other = {ECHO_VIEW_ONLY: "train", NEITHER: "none"}
    return [next(drawn) if name == BOTH else other[name] for name in sets]


def _kept(splits: Sequence[str], share: float) -> set[int]:
    """Choose the first patients of train and val, by share, and all of test; so subsets nest."""
    kept = {index for index, split in enumerate(splits) if split == "test"}
    for name in ("train", "val"):
        ours = [index for index, split in enumerate(splits) if split == name]
        kept.update(ours[: ceil(len(ours) * share)])
    return kept


def _plan(index: int, image: int, split: str) -> ClipPlan:
    images_set = SET_BY_TURN[index % len(SET_BY_TURN)]
    study, number = image // len(IMAGES) + 1, image % len(IMAGES)
    echo_view = None if images_set == NEITHER else IMAGES[number]
    folder = FOLDER_OF_UNLABELED[images_set] if echo_view is None else f"{images_set}/labeled"
    patient = str(FIRST_PATIENT + index)
    return ClipPlan(
        path=f"{ROOT}/{folder}/{patient}s{study}_{number}.png",
        index=index,
        clip=image,
        patient=patient,
        study=f"{patient}s{study}",
        echo_view=echo_view or "unknown",
        rendered_as=_plane(echo_view, image),
        split="none" if echo_view is None else split,
        beats=0,
        quirk="unlisted" if echo_view is None else None,
    )


def _plane(echo_view: str | None, image: int) -> str | None:
    """What to render where the label names no plane; the short axis at the aortic valve, where stenosis is seen."""
    if echo_view in (None, "other"):
        return UNLABELED_TURNS[image % len(UNLABELED_TURNS)]
    return "psax_aortic" if echo_view == "psax" else None


def _labels(clip: WrittenClip) -> Row:
    is_graded = f"{BOTH}/" in clip.plan.path
    return {
        "query_key": Path(clip.plan.path).name,
        "view_label": LABEL_BY_ECHO_VIEW[clip.plan.echo_view],
        "diagnosis_label": GRADES[clip.patient.as_grade] if is_graded else "Not_Provided",
        "SourceFolder": str(Path(clip.plan.path).parent.relative_to(ROOT)),
    }


def _in_fold(clip: WrittenClip, split: str) -> Row:
    row = _labels(clip)
    is_graded = row["diagnosis_label"] != "Not_Provided"
    return {**row, "view_classifier_split": split, "diagnosis_classifier_split": split if is_graded else ""}
