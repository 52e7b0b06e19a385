"""Inspect: a dataset comes in; counts, warnings, pictures and a page that opens in a browser go out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from apical.checks import warnings_of
from apical.dataset import Dataset
from apical.pictures.histograms import draw_label_histograms
from apical.pictures.montage import draw_montage
from apical.pictures.page import write_page

__all__ = ["Inspection", "inspect", "report_lines", "summary_lines"]

REASONS_SHOWN = 12
LEVELS = ("clip", "trace", "label", "note")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found, and where the page is that shows it."""

    dataset: Dataset
    by_view_and_split: pl.DataFrame
    """Columns echo_view, split, clips, patients, frames, traced frames."""
    labels: pl.DataFrame
    """Columns label, clips, and for numbers min, median, max."""
    faults: Mapping[tuple[str, str], int]
    """(level, reason) with its count, the costliest and most frequent first."""
    warnings: list[str]
    page: Path


def inspect(dataset_folder: Path, out: Path) -> Inspection:
    """Count, warn, draw `montage.png` and `labels.png`, and write `index.html`, which holds all of it."""
    dataset = Dataset.open(dataset_folder)
    out.mkdir(parents=True, exist_ok=True)
    inspection = Inspection(
        dataset=dataset,
        by_view_and_split=_by_view_and_split(dataset),
        labels=_labels(dataset),
        faults=_faults(dataset),
        warnings=warnings_of(dataset),
        page=out / "index.html",
    )
    pictures = {"montage": out / "montage.png", "labels": out / "labels.png"}
    draw_montage(dataset, pictures["montage"])
    if not draw_label_histograms(dataset, pictures["labels"]):
        del pictures["labels"]
    write_page(inspection.page, "inspect.html", pictures, inspection=inspection, card=dataset.card)
    return inspection


def summary_lines(dataset: Dataset) -> list[str]:
    """What an ingest left, in a few lines."""
    card, counts = dataset.card, dataset.card.counts
    synthetic = " (synthetic)" if card.is_synthetic else ""
    lines = [
        f"{dataset.folder}: {counts.get('usable_clips', 0)} of {counts['clips']} clips, "
        f"{counts.get('frames', 0)} frames, {counts['patients']} patients, "
        f"{counts.get('traced_frames', 0)} traced frames{synthetic}",
        f"Licence: {card.licence}",
    ]
    if leaking := counts.get("leaking_patients", 0):
        lines.append(f"! {leaking} patients stand on both sides of the splits, as allow_leakage allows.")
    faults = [f"  {count} × {level}: {reason}" for (level, reason), count in _faults(dataset).items()]
    lines += faults[:REASONS_SHOWN]
    if len(faults) > REASONS_SHOWN:
        lines.append(f"  … and {len(faults) - REASONS_SHOWN} more reasons")
    if sum(card.exclusions.values()):
        lines.append(f"Every exclusion and note stands in {dataset.folder / 'exclusions.csv'}.")
    return [*lines, card.notice]


def report_lines(inspection: Inspection) -> list[str]:
    """The whole inspection for a terminal."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_width_chars=120,
        float_precision=1,
    ):
        tables = [str(table) for table in (inspection.by_view_and_split, inspection.labels) if table.height]
    warnings = [f"! {warning}" for warning in inspection.warnings]
    return [*summary_lines(inspection.dataset), *tables, *warnings, f"Page: {inspection.page}"]


def _by_view_and_split(dataset: Dataset) -> pl.DataFrame:
    traced = dataset.traces.group_by("clip").agg(pl.col("frame").n_unique().alias("traced"))
    return (
        dataset.usable_clips.join(traced, on="clip", how="left")
        .group_by("echo_view", "split")
        .agg(
            pl.len().alias("clips"),
            pl.col("patient").n_unique().alias("patients"),
            pl.col("num_frames").sum().alias("frames"),
            pl.col("traced").sum().alias("traced frames"),
        )
        .sort("echo_view", "split")
    )


def _labels(dataset: Dataset) -> pl.DataFrame:
    """A row for each label that any usable clip has."""
    rows: list[tuple[object, ...]] = []
    for name in dataset.label_names:
        values = dataset.usable_clips[name].drop_nulls()
        if values.dtype == pl.String:
            words = ", ".join(f"{word} {count}" for word, count in sorted(Counter(values).items()))
            rows.append((name, len(values), None, None, None, words))
        elif len(values):
            rows.append((name, len(values), values.min(), values.median(), values.max(), ""))
    numbers = dict.fromkeys(("min", "median", "max"), pl.Float64)
    schema = {"label": pl.String, "clips": pl.Int64, **numbers, "words": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _faults(dataset: Dataset) -> dict[tuple[str, str], int]:
    """Reasons and their counts: what cost clips before what cost less, the most frequent first."""
    found = Counter(dataset.exclusions.select("level", "reason").iter_rows())
    return dict(sorted(found.items(), key=lambda item: (LEVELS.index(item[0][0]), -item[1])))
