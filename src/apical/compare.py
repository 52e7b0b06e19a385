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
from apical.scores import Scores
from apical.statistics.holm import holm
from apical.statistics.paired import Paired
from apical.statistics.paired import compare as compare_columns
from apical.whole import whole_file

__all__ = ["Comparison", "compare", "comparison_lines"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One folder beside the first one, in one part of the images."""

    name: str
    part: str
    """The structure, where there are several."""
    images: int
    patients: int
    mean: float
    first_mean: float
    difference: Paired
    adjusted_p: float
    """By Holm over all rows of the table."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The table."""

    figure: str
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
    chosen = figure or next(iter(first.card.figures))
    if chosen not in first.card.figures:
        raise ApicalError(f"There is no figure '{chosen}'", remedy=nearest(chosen, first.card.figures))
    names = _names(folders)
    rows = [
        row
        for other, name in zip(others, names[1:], strict=True)
        for row in _rows(first, other, name, chosen)
    ]
    adjusted = holm([row["difference"].p for row in rows])
    comparison = Comparison(
        figure=chosen,
        first=names[0],
        data=f"{first.card.data['title']}, {first.card.data['split']}",
        is_synthetic=bool(first.card.data["is_synthetic"]),
        rows=tuple(Row(**row, adjusted_p=float(p)) for row, p in zip(rows, adjusted, strict=True)),
    )
    if out is not None:
        with whole_file(out) as part:
            part.write_text(json.dumps(asdict(comparison), indent=1, allow_nan=True) + "\n", encoding="utf-8")
    return comparison


def comparison_lines(comparison: Comparison) -> list[str]:
    """The table as a terminal shows it."""
    kind = " (synthetic data)" if comparison.is_synthetic else ""
    width = max([len(_label(row)) for row in comparison.rows] + [len(comparison.first)])
    lines = [
        f"{comparison.figure} on {comparison.data}{kind}, compared with {comparison.first}:",
        f"{'':<{width}}  images   mean    first    difference (95 % interval)           p       p (Holm)",
    ]
    for row in comparison.rows:
        gain = row.difference
        lines.append(
            f"{_label(row):<{width}}  {row.images:>6}  {row.mean:.4f}  {row.first_mean:.4f}  "
            f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})  {gain.p:>8.4f}  {row.adjusted_p:>8.4f}"
        )
    return [
        *lines,
        "Intervals: patients resampled 10,000 times (BCa). p: signs of whole patients flipped.",
        comparison.notice,
    ]


def _label(row: Row) -> str:
    return f"{row.name}, {row.part}" if row.part else row.name


def _names(folders: Sequence[Path]) -> list[str]:
    """What tells the folders apart: their names or, where those are the same, their paths."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _rows(first: Scores, other: Scores, name: str, figure: str) -> list[dict[str, Any]]:
    """One for each part of the table: a structure, say."""
    card = first.card
    joined = _paired(first, other, figure)
    parts = [key for key in card.keys if key not in ("clip", "frame")]
    groups = joined.group_by(parts, maintain_order=True) if parts else [((), joined)]
    rows = []
    for values, part in groups:
        theirs, ours = part["other"].to_numpy(), part[figure].to_numpy()
        difference = compare_columns(theirs, ours, part[card.cluster].to_list())
        rows.append(
            {
                "name": name,
                "part": ", ".join(map(str, values)),
                "images": len(part),
                "patients": part[card.cluster].n_unique(),
                "mean": float(np.mean(theirs)),
                "first_mean": float(np.mean(ours)),
                "difference": difference,
            }
        )
    return rows


def _paired(first: Scores, other: Scores, figure: str) -> pl.DataFrame:
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
    theirs = other.table.select(*keys, pl.col(figure).alias("other"))
    joined = first.table.join(theirs, on=keys, how="inner", maintain_order="left")
    shared = set(first.table[keys[-1]]) & set(other.table[keys[-1]])
    expected = first.table.filter(pl.col(keys[-1]).is_in(list(shared)))
    if len(joined) != len(expected) or joined.is_empty():
        raise ApicalError(
            "These scores are not of the same images",
            where=str(other.folder),
            seen=f"{len(joined)} of {len(expected)} rows in common",
            remedy="Evaluate both runs on the same split.",
        )
    return joined
