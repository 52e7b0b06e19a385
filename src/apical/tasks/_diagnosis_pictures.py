"""Pictures of a diagnosis: how well it ranks, how far beliefs can be believed, what is taken for what, and mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from apical.dataset import Dataset
from apical.pictures.confusion import draw_confusion
from apical.pictures.overlay_sheet import Overlay, draw_overlay_file
from apical.pictures.reliability import Believed, draw_reliability
from apical.pictures.roc import Ranked, draw_roc
from apical.statistics.ranking import auprc_interval, auroc_interval
from apical.tasks._diagnosis_keeping import Kept
from apical.tasks._diagnosis_summary import confusion
from apical.tasks._study_labels import NO, YES

__all__ = ["draw_scores"]

NAMES = ("curves.png", "reliability.png", "confusion.png", "mistakes.png")
SHOWN = 12
"""Mistakes."""


def draw_scores(
    dataset: Dataset,
    scores: pl.DataFrame,
    found: pl.DataFrame,
    label: str,
    classes: tuple[str, ...],
    kept: Kept | None,
    folder: Path,
) -> dict[str, str]:
    """Write the pictures; their files and what each shows, in the order to look at them."""
    note = "Synthetic data." if dataset.card.is_synthetic else ""
    for name in NAMES:  # of an earlier evaluation
        (folder / name).unlink(missing_ok=True)
    drawn = _draw_beliefs(scores, label, kept, note, folder) if classes == (NO, YES) else {}
    drawn["confusion.png"] = "What is taken for what, study by study"
    draw_confusion(
        confusion(scores, classes),
        folder / "confusion.png",
        f"{label}, study by study",
        note,
        kind="answer",
        unit="studies",
    )
    return {**drawn, **_draw_mistakes(dataset, scores, found, classes, note, folder)}


def _draw_beliefs(
    scores: pl.DataFrame, label: str, kept: Kept | None, note: str, folder: Path
) -> dict[str, str]:
    """Curves, and whether beliefs are as often right as they say, as they come and as they are given out."""
    truths, patients = scores["truth"].to_numpy(), scores["patient"].to_list()
    beliefs, raw = scores["probability"].to_numpy(), scores["raw_probability"].to_numpy()
    ranked = Ranked(
        name=label,
        scores=beliefs,
        truths=truths,
        auroc=auroc_interval(beliefs, truths, patients),
        auprc=auprc_interval(beliefs, truths, patients),
        threshold=kept.thresholds["balanced"] if kept else None,
    )
    draw_roc([ranked], folder / "curves.png", f"How well '{label}' is told, study by study", note)
    panels = [Believed("as the network says", raw, truths), Believed("as given out", beliefs, truths)]
    draw_reliability(panels, folder / "reliability.png", f"May beliefs in '{label}' be believed?", note)
    return {
        "curves.png": "How well studies are told apart: ROC and precision-recall curves",
        "reliability.png": "How often studies of some belief are positive",
    }


def _draw_mistakes(
    dataset: Dataset,
    scores: pl.DataFrame,
    found: pl.DataFrame,
    classes: Sequence[str],
    note: str,
    folder: Path,
) -> dict[str, str]:
    """The surest of them, each by the middle frame of the look that says most."""
    worst = scores.filter(pl.col("correct") == 0).sort("log_loss", "study", descending=[True, False])
    if worst.is_empty():
        return {}
    overlays = [_overlay(dataset, row, found, classes) for row in worst[:SHOWN].iter_rows(named=True)]
    title = f"The surest of {len(worst)} mistakes. {note}".strip()
    explanation = "What was believed of the study, then the truth; the middle of the clip that misled most."
    draw_overlay_file(overlays, folder / "mistakes.png", title, explanation)
    return {"mistakes.png": "The surest mistakes"}


def _overlay(
    dataset: Dataset, row: Mapping[str, Any], found: pl.DataFrame, classes: Sequence[str]
) -> Overlay:
    """In the true proportions."""
    truth, answer = classes[row["truth"]], classes[row["answer"]]
    looks = found.filter((pl.col("patient") == row["patient"]) & (pl.col("study") == row["study"]))
    look = looks.sort(f"p_{truth}", "clip", "frame").row(0, named=True)
    clip = dataset.clip_row(look["clip"])
    aspect = (clip["spacing_mm_y"] or 1.0) / (clip["spacing_mm_x"] or 1.0)
    frames = dataset.clip_frames(look["clip"])
    belief = row["probability"] if "probability" in row else row[f"p_{answer}"]
    name = YES if "probability" in row else answer
    said = f"{row['study'][:14]}: {name} {belief:.2f}, is {truth}"
    return Overlay(np.asarray(frames[(look["frame"] + len(frames) - 1) // 2]), {}, {}, said, aspect)
