"""Leakage: a dataset and those learnt from come in; which patients stand on both sides, and what to say of it, go out.

Images of one heart are alike, so a model looks too good on patients that it has seen.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

import polars as pl

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.labels import LabelDraw
from apical.splits import JUDGED_ON, LEARNT_FROM

if TYPE_CHECKING:
    from apical.run import Run

__all__ = ["Leakage", "leakage_of_evaluation", "leakage_of_fitting", "leaking_patients"]

Leakage = Literal["remarked", "refused", "allowed"]
"""What is done about patients on both sides: a remark; an error; or a remark, since somebody asked for it."""

REMEDY = (
    "Take splits by patient: ingest the data with the source's own splits, or with on_split_conflict=hold_out. "
    "To repeat what others did, fit with task.allow_leakage=true, which every output will say"
)


def leaking_patients(dataset: Dataset) -> frozenset[str]:
    """Patients with usable clips both among those to learn from and among those to judge on."""
    clips = dataset.usable_clips
    learnt, judged = (
        set(clips.filter(pl.col("split").is_in(splits))["patient"]) for splits in (LEARNT_FROM, JUDGED_ON)
    )
    return frozenset(learnt & judged)


def leakage_of_fitting(dataset: Dataset, leakage: Leakage) -> tuple[str, ...]:
    """Remarks for a run that is to be fitted on this dataset, or an error."""
    remarks = _remarks_on(leaking_patients(dataset))
    _refuse(remarks, dataset, leakage)
    return remarks


def leakage_of_evaluation(
    dataset: Dataset, patients: Collection[str], run: Run, leakage: Leakage
) -> tuple[str, ...]:
    """Remarks for scores of these patients of the dataset by a run's model, or an error.

    Names tell patients apart within one source alone, so a run of another source has seen none of these. Where
    leakage is only remarked on, evaluation has its own words for the split that was trained on.
    """
    remarks = list(_remarks_on(leaking_patients(dataset)))
    may_be_seen = leakage != "remarked" and run.card.data.get("source") == dataset.card.source
    learnt = set(LabelDraw.read(run.folder).patients) if may_be_seen else set()
    if seen := len(learnt & set(patients)):
        remarks.append(
            f"Leakage: {seen} of the {len(set(patients))} patients judged were learnt from, "
            "so these figures are too good"
        )
    _refuse(remarks, dataset, leakage)
    return tuple(remarks)


def _remarks_on(leaking: Collection[str]) -> tuple[str, ...]:
    if not leaking:
        return ()
    return (
        f"Leakage: {len(leaking)} patients of this dataset stand on both sides of its splits, "
        "so figures on it are too good",
    )


def _refuse(remarks: Collection[str], dataset: Dataset, leakage: Leakage) -> None:
    if remarks and leakage == "refused":
        raise ApicalError("; ".join(remarks), where=str(dataset.folder), remedy=REMEDY)
