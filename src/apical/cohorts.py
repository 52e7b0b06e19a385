"""Who is learnt from and who is kept apart: a dataset comes in, its training and its held-out clips go out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.splits import LEARNT_FROM

__all__ = ["Cohorts", "cohorts_of"]


@dataclass(frozen=True)
class Cohorts:
    """Rows of a dataset's usable clips; none of the test split, and no patient in both unless that was asked for."""

    training: pl.DataFrame
    """What weights are learnt from: the splits train and none."""
    held_out: pl.DataFrame
    """What learning is watched on: the split val or, where there is none, a share of the training patients."""


def cohorts_of(dataset: Dataset, hold_out: float = 0.1, *, may_overlap: bool = False) -> Cohorts:
    """The cohorts of a dataset; `hold_out` is the share of its training patients that stands in for a missing val.

    Which patients those are hangs on their names alone: the same every time, and a larger share holds the smaller.
    With 0, all are learnt from and nobody is watched. A patient in both splits is watched only, unless cohorts
    `may_overlap`.
    """
    pool = dataset.usable_clips.filter(pl.col("split").is_in(LEARNT_FROM))
    held_out = dataset.usable_clips.filter(pl.col("split") == "val")
    if held_out.is_empty():
        held_out = pool.filter(pl.col("patient").is_in(_share(pool["patient"].unique(), hold_out)))
    watched = [] if may_overlap else held_out["patient"].unique().to_list()
    training = pool.filter(~pl.col("patient").is_in(watched))
    if training.is_empty() or (held_out.is_empty() and hold_out > 0):
        raise ApicalError(
            "Pretraining needs at least two patients: one to learn from, one to watch learning on",
            where=str(dataset.folder),
            seen=_patients_by_split(dataset.usable_clips),
            remedy="Ingest more data, or mend the splits; patients of the test split are never used here.",
        )
    return Cohorts(training, held_out)


def _share(patients: Iterable[str], share: float) -> list[str]:
    """The patients whose names hash lowest: at least one of a share above 0, as long as one is left."""
    if share == 0:
        return []
    ranked = sorted(patients, key=lambda patient: hashlib.sha256(patient.encode()).digest())
    return ranked[: min(max(1, round(share * len(ranked))), len(ranked) - 1)] if ranked else []


def _patients_by_split(clips: pl.DataFrame) -> str:
    counts = clips.group_by("split").agg(pl.col("patient").n_unique()).sort("split")
    return ", ".join(f"{count} in {split}" for split, count in counts.iter_rows()) or "no usable clip"
