"""Labels of studies: a word for what is diagnosed comes in; for every clip whose answer is known, it goes out.

A label is a column of the dataset: yes or no (0 or 1), grades in words, or a measure with a limit, such as
`ef_percent<50`. Three have names of their own: `as_severe`, `as_any` and `lvh`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from apical.dataset import Dataset
from apical.errors import ApicalError, nearest

__all__ = ["ANSWER", "NO", "YES", "answers_of", "classes_of"]

ANSWER = "answer"
"""The column with the number of the class."""
NO, YES = "no", "yes"
AS_GRADES = ("none", "early", "mild", "mild_to_moderate", "moderate", "significant", "severe")
"""From least to worst, whichever of them a dataset has; TMED-2 knows none, early and significant."""
WALLS = ("ivs_cm", "lvpw_cm")
"""Thickness of the septum and of the posterior wall at end-diastole."""
MOST_GRADES = 12
"""Words of a column that can be grades; a column with more is something else."""
LIMIT = re.compile(r"^\s*(?P<column>\w+)\s*(?P<way>[<>])\s*(?P<limit>-?\d+(\.\d+)?)\s*$")


@dataclass(frozen=True)
class _Rule:
    """How a label's answers are made of the clips' table."""

    answer: pl.Expr
    """The number of the class, null where it is not known."""
    classes: tuple[str, ...]


def classes_of(dataset: Dataset, label: str, wall_cm: float) -> tuple[str, ...]:
    """What is told apart, from least to worst: no and yes, or the grades that the dataset has."""
    return _rule(dataset, label, wall_cm).classes


def answers_of(dataset: Dataset, label: str, wall_cm: float, classes: Sequence[str]) -> pl.DataFrame:
    """Usable clips whose answer is known: (clip, patient, study, answer), the answer a number of `classes`.

    An error says so if the videos of a study disagree, or if the dataset knows classes that are not among these.
    """
    rule = _rule(dataset, label, wall_cm)
    if strangers := sorted(set(rule.classes) - set(classes)):
        raise ApicalError(
            f"This dataset has grades that were not learnt: {', '.join(strangers)}",
            where=str(dataset.folder),
            seen=f"learnt were {', '.join(classes)}",
            remedy="Take a dataset with the same grades, or learn from this one.",
        )
    known = dataset.usable_clips.select("clip", "patient", "study", rule.answer.alias(ANSWER)).drop_nulls(
        ANSWER
    )
    numbers = {number: classes.index(name) for number, name in enumerate(rule.classes)}
    _refuse_disagreement(dataset, known, label)
    return known.with_columns(pl.col(ANSWER).replace_strict(numbers, return_dtype=pl.Int64))


def _refuse_disagreement(dataset: Dataset, known: pl.DataFrame, label: str) -> None:
    disagreeing = known.group_by("patient", "study").agg(pl.col(ANSWER).n_unique()).filter(pl.col(ANSWER) > 1)
    if len(disagreeing):
        raise ApicalError(
            f"The videos of {len(disagreeing)} studies have different answers for '{label}'",
            where=str(dataset.folder / "clips.parquet"),
            seen="a diagnosis is one of the whole study",
            remedy="Mend the labels in the source's tables and ingest again.",
        )


def _rule(dataset: Dataset, label: str, wall_cm: float) -> _Rule:
    columns = set(dataset.label_names)
    if limit := LIMIT.match(label):
        return _limited(dataset, limit["column"], limit["way"], float(limit["limit"]))
    if label == "as_any" and "as_any" not in columns:
        return _stenosis(dataset, label)
    if label == "as_severe" and "as_severe" not in columns:
        return _stenosis(dataset, label)
    if label == "lvh" and "lvh" not in columns and columns & set(WALLS):
        return _thick(sorted(columns & set(WALLS)), wall_cm)
    if label not in columns:
        raise _unknown(dataset, label)
    return _column(dataset, label)


def _stenosis(dataset: Dataset, label: str) -> _Rule:
    """Of any grade, or of the worst, made of the grades."""
    if "as_grade" not in dataset.label_names:
        raise _unknown(dataset, label)
    grade = pl.col("as_grade")
    return _binary(grade != "none" if label == "as_any" else grade == "severe")


def _thick(walls: Sequence[str], wall_cm: float) -> _Rule:
    """Either wall is thicker; a heart with one known wall that is thin enough is not known to be well."""
    thick = [pl.col(wall) > wall_cm for wall in walls]
    return _binary(pl.any_horizontal(thick))


def _limited(dataset: Dataset, column: str, way: str, limit: float) -> _Rule:
    if column not in dataset.label_names:
        raise _unknown(dataset, column)
    if not dataset.clips[column].dtype.is_numeric():
        raise ApicalError(
            f"The label '{column}' holds words, which have no limit",
            where=str(dataset.folder),
            remedy=f"Name it alone: task.label={column}.",
        )
    return _binary(pl.col(column) < limit if way == "<" else pl.col(column) > limit)


def _column(dataset: Dataset, label: str) -> _Rule:
    values = dataset.usable_clips[label].drop_nulls().unique()
    if not values.dtype.is_numeric():
        return _graded(dataset, label, values)
    if not set(values) <= {0.0, 1.0}:
        raise ApicalError(
            f"The label '{label}' is a measure, neither yes or no nor a grade",
            where=str(dataset.folder),
            remedy=f"Say from where on it is a disease: task.label='{label}>…' or '{label}<…'.",
        )
    return _binary(pl.col(label) == 1)


def _graded(dataset: Dataset, label: str, words: pl.Series) -> _Rule:
    """Grades of stenosis in their order; any other words by the alphabet."""
    there = set(words)
    if not 2 <= len(there) <= MOST_GRADES:
        raise ApicalError(
            f"The label '{label}' has {len(there)} different words, which are no grades",
            where=str(dataset.folder),
            remedy=f"Take another task.label; there are {', '.join(dataset.label_names)}.",
        )
    known = [grade for grade in AS_GRADES if grade in there]
    order = (*known, *sorted(there - set(known)))
    numbers = {name: number for number, name in enumerate(order)}
    return _Rule(pl.col(label).replace_strict(numbers, default=None, return_dtype=pl.Int64), order)


def _binary(is_diseased: pl.Expr) -> _Rule:
    return _Rule(is_diseased.cast(pl.Int64), (NO, YES))


def _unknown(dataset: Dataset, label: str) -> ApicalError:
    return ApicalError(
        f"This dataset has no label '{label}'",
        where=str(dataset.folder),
        seen=f"its labels are {', '.join(dataset.label_names)}"
        if dataset.label_names
        else "it has no labels",
        remedy=nearest(label, dataset.label_names) if dataset.label_names else "Take a dataset with labels.",
    )
