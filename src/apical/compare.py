"""Compare: folders of scores on the same images come in; differences with intervals and p values go out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from apical.errors import ApicalError, nearest
from apical.scores import ScoreCard, Scores, plain_values, readable
from apical.statistics.clusters import Array
from apical.statistics.delong import delong, paired_auroc
from apical.statistics.holm import holm
from apical.statistics.paired import Paired
from apical.statistics.paired import compare as compare_columns
from apical.statistics.ranking import auroc
from apical.whole import whole_file

__all__ = ["Comparison", "compare", "comparison_lines"]

AUROC = "auroc"
"""The one figure that is no mean over the table's rows."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One folder beside the first one, in one part of the images."""

    name: str
    part: str
    """The structure, where there are several."""
    images: int
    """Or studies: what the table's rows are of."""
    left_out: int
    """Images in which one of them has no such figure: a distance, where nothing was found."""
    patients: int
    mean: float
    first_mean: float
    difference: Paired
    delong_p: float | None
    """Of areas under ROC curves, by DeLong, which takes studies for patients of their own."""
    adjusted_p: float
    """By Holm over all rows of the table."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The table."""

    figure: str
    unit: str
    first: str
    data: str
    is_synthetic: bool
    rows: tuple[Row, ...]
    notice: str = "Research use only. Not a medical device."


def compare(folders: Sequence[Path], *, figure: str | None = None, out: Path | None = None) -> Comparison:
    """Compare scores with those of the first folder, image by image; `out` is a JSON file to write the table to."""
    if len(folders) < 2:
        raise ApicalError(
            "There is nothing to compare with",
            remedy="Name two or more folders that 'apical evaluate' wrote; the first is what others are compared with.",
        )
    first, *others = [Scores.open(folder) for folder in folders]
    figures = _figures(first)
    chosen = figure or figures[0]
    if chosen not in figures:
        raise ApicalError(f"There is no figure '{chosen}'", remedy=nearest(chosen, figures))
    names = _names(folders)
    rows = [
        row
        for other, name in zip(others, names[1:], strict=True)
        for row in _rows(first, other, name, chosen)
    ]
    adjusted = holm([row["difference"].p for row in rows])
    comparison = Comparison(
        figure=chosen,
        unit=first.card.data["unit"],
        first=names[0],
        data=f"{first.card.data['title']}, {first.card.data['split']}",
        is_synthetic=bool(first.card.data["is_synthetic"]),
        rows=tuple(Row(**row, adjusted_p=float(p)) for row, p in zip(rows, adjusted, strict=True)),
    )
    if out is not None:
        with whole_file(out) as part:
            values = plain_values(asdict(comparison))
            part.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return comparison


def comparison_lines(comparison: Comparison) -> list[str]:
    """The table as a terminal shows it."""
    kind = " (synthetic data)" if comparison.is_synthetic else ""
    width = max([len(_label(row)) for row in comparison.rows] + [len(comparison.first)])
    ranks = any(row.delong_p is not None for row in comparison.rows)
    what = "AUROC" if ranks else "mean"
    lines = [
        f"{comparison.figure} on {comparison.data}{kind}, compared with {comparison.first}:",
        f"{'':<{width}}  {comparison.unit:>7}  {what:>8}     first  "
        f"{'difference (95 % interval)':<31}       p  p (Holm)",
        *(_line(row, width) for row in comparison.rows),
    ]
    left_out = [
        f"{_label(row)}: {row.left_out} {comparison.unit} left out, in which {comparison.figure} is not known of both."
        for row in comparison.rows
        if row.left_out
    ]
    return [
        *lines,
        *left_out,
        *(
            f"{_label(row)}: p by DeLong {readable(row.delong_p, '.4f')}"
            for row in comparison.rows
            if row.delong_p is not None
        ),
        f"Intervals: patients resampled 10,000 times (BCa). p: {'ranks' if ranks else 'signs'} of whole patients "
        f"{'exchanged' if ranks else 'flipped'}.",
        comparison.notice,
    ]


def _line(row: Row, width: int) -> str:
    gain = row.difference
    value, low, high = (readable(each, "+.4f") for each in (gain.value, gain.low, gain.high))
    mean, first = (readable(each, ".4f") for each in (row.mean, row.first_mean))
    p, adjusted = (readable(each, ".4f") for each in (gain.p, row.adjusted_p))
    interval = f"{value} ({low} to {high})"
    return (
        f"{_label(row):<{width}}  {row.images:>7}  {mean:>8}  {first:>8}  {interval:<31}{p:>8}  {adjusted:>8}"
    )


def _label(row: Row) -> str:
    return f"{row.name}, {row.part}" if row.part else row.name


def _names(folders: Sequence[Path]) -> list[str]:
    """What tells the folders apart: their names or, where those are the same, their paths."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _rows(first: Scores, other: Scores, name: str, figure: str) -> list[dict[str, Any]]:
    """One for each part of the table: a structure, say."""
    card = first.card
    column = card.ranking[0] if card.ranking and figure == AUROC else figure
    joined = _paired(first, other, figure, column)
    groups = joined.group_by(card.parts, maintain_order=True) if card.parts else [((), joined)]
    rows = []
    for values, whole in groups:
        part = whole.filter(pl.all_horizontal(pl.col("other", column).is_not_nan().fill_null(False)))
        theirs, ours = part["other"].to_numpy(), part[column].to_numpy()
        found = _means(part, theirs, ours, card) if column == figure else _areas(part, theirs, ours, card)
        rows.append(
            {
                "name": name,
                "part": ", ".join(map(str, values)),
                "images": len(part),
                "left_out": len(whole) - len(part),
                "patients": part[card.cluster].n_unique(),
                **found,
            }
        )
    return rows


def _means(part: pl.DataFrame, theirs: Array, ours: Array, card: ScoreCard) -> dict[str, Any]:
    return {
        "mean": float(np.mean(theirs)) if len(part) else np.nan,
        "first_mean": float(np.mean(ours)) if len(part) else np.nan,
        "difference": compare_columns(theirs, ours, part[card.cluster].to_list()),
        "delong_p": None,
    }


def _areas(part: pl.DataFrame, theirs: Array, ours: Array, card: ScoreCard) -> dict[str, Any]:
    assert card.ranking is not None
    truths = part[card.ranking[1]].to_numpy()
    return {
        "mean": auroc(theirs, truths),
        "first_mean": auroc(ours, truths),
        "difference": paired_auroc(theirs, ours, truths, part[card.cluster].to_list()),
        "delong_p": delong(theirs, ours, truths).p,
    }


def _figures(scores: Scores) -> list[str]:
    """What can be compared, what says most first."""
    return [*([AUROC] if scores.card.ranking else []), *scores.card.figures]


def _paired(first: Scores, other: Scores, figure: str, column: str) -> pl.DataFrame:
    """Rows of both with the same keys; images that one of them lacks are an error."""
    keys = list(first.card.keys)
    same_data = first.card.data["content_sha256"] == other.card.data["content_sha256"]
    if other.card.task != first.card.task or not same_data:
        raise ApicalError(
            "These scores are of another task or other data",
            where=str(other.folder),
            seen=f"{other.card.task} on {other.card.data['title']}, {first.card.task} on {first.card.data['title']}",
            remedy="Evaluate both runs on the same dataset and split.",
        )
    if figure not in _figures(other):
        raise ApicalError(
            f"These scores have no figure '{figure}'",
            where=str(other.folder),
            remedy=nearest(figure, _figures(other)),
        )
    ours, theirs = first.table, other.table
    for key in first.card.parts:  # in which one of them may lack some
        ours, theirs = (
            one.filter(pl.col(key).is_in(two[key].unique().to_list()))
            for one, two in ((ours, theirs), (theirs, ours))
        )
    named = theirs.select(*keys, pl.col(column).alias("other"))
    joined = ours.join(named, on=keys, how="inner", maintain_order="left")
    if not len(joined) == len(ours) == len(theirs) or joined.is_empty():
        raise ApicalError(
            f"These scores are not of the same {first.card.data['unit']}",
            where=str(other.folder),
            seen=f"{len(joined)} rows in common, of {len(first.table)} and {len(other.table)}",
            remedy="Evaluate both runs on the same split.",
        )
    return joined
