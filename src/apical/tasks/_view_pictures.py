"""Pictures of answers: what is taken for what, what refusing buys, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from apical.dataset import Dataset
from apical.leakage import leaking_patients
from apical.pictures.confusion import draw_confusion
from apical.pictures.coverage import draw_coverage
from apical.pictures.overlay_sheet import Overlay, draw_overlay_file
from apical.tasks._view_summary import confusion, in_table_order, title_of
from apical.tasks._view_trust import Trust

__all__ = ["draw_scores"]

NAMES = ("confusion.png", "answers.png", "coverage.png", "mistakes.png")
SHOWN = 12
"""Mistakes."""


def draw_scores(
    dataset: Dataset, scores: pl.DataFrame, views: Sequence[str], trust: Trust | None, folder: Path
) -> dict[str, str]:
    """Write the pictures; their files and what each shows, in the order to look at them."""
    note = _note(dataset, scores)
    for name in NAMES:  # of an earlier evaluation
        (folder / name).unlink(missing_ok=True)
    drawn = _draw_confusions(scores, views, trust is not None, note, folder)
    draw_coverage(
        scores["confidence"].to_numpy(),
        scores["correct"].to_numpy(),
        folder / "coverage.png",
        f"Accuracy of the surest images\n{note}".strip(),
        threshold=trust.threshold if trust else None,
        wanted=trust.trusted if trust else None,
    )
    drawn["coverage.png"] = "Accuracy of the surest images, by the share that is answered"
    worst = scores.filter(pl.col("correct") == 0).sort(
        "confidence", "clip", "frame", descending=[True, False, False]
    )
    if len(worst):
        overlays = [_overlay(dataset, row) for row in worst[:SHOWN].iter_rows(named=True)]
        title = f"The surest of {len(worst)} mistakes. {note}".strip()
        explanation = "Likeliest view and its confidence, then the expert's."
        draw_overlay_file(overlays, folder / "mistakes.png", title, explanation)
        drawn["mistakes.png"] = "The surest mistakes"
    return drawn


def _draw_confusions(
    scores: pl.DataFrame, views: Sequence[str], refuses: bool, note: str, folder: Path
) -> dict[str, str]:
    """Likeliest views and, where some are refused, the answers that are given."""
    order = in_table_order(views)
    drawn = {"confusion.png": "What is taken for what, if all images are answered"}
    tables = {"confusion.png": confusion(scores, order, "best")}
    if refuses:
        drawn["answers.png"] = "The answers that are given"
        tables["answers.png"] = confusion(scores, order)
    for name, table in tables.items():
        titled = {
            title_of(truth): {title_of(answer): count for answer, count in row.items()}
            for truth, row in table.items()
        }
        draw_confusion(titled, folder / name, drawn[name], note)
    return drawn


def _note(dataset: Dataset, scores: pl.DataFrame) -> str:
    """What must be said on every picture."""
    leaks = leaking_patients(dataset) & set(scores["patient"])
    notes = ["Synthetic data."] if dataset.card.is_synthetic else []
    return " ".join([*notes, *(["Leakage: these patients were learnt from."] if leaks else [])])


def _overlay(dataset: Dataset, row: Mapping[str, Any]) -> Overlay:
    """In the true proportions."""
    clip = dataset.clip_row(row["clip"])
    aspect = (clip["spacing_mm_y"] or 1.0) / (clip["spacing_mm_x"] or 1.0)
    pixels = np.asarray(dataset.clip_frames(row["clip"])[row["frame"]])
    said = f"{row['clip'][:14]}: {title_of(row['best'])} {row['confidence']:.2f}, is {title_of(row['echo_view'])}"
    return Overlay(pixels, {}, {}, said, aspect)
