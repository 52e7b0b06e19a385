"""Pictures of scores: the worst, middle and best images, how Dice spreads, and how ejection fractions agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from apical import runlength
from apical.dataset import Dataset
from apical.pictures.agreement import Compared, draw_agreement
from apical.pictures.distribution import draw_distribution
from apical.pictures.overlay_sheet import Overlay, draw_overlay_file
from apical.pixels.fit import fit_of
from apical.tasks._ejection import ejection_fractions

__all__ = ["draw_scores"]

EACH = 6
"""Images of a kind."""


def draw_scores(
    dataset: Dataset, scores: pl.DataFrame, found: pl.DataFrame, main: str, folder: Path
) -> dict[str, str]:
    """Write the pictures; their files and what each shows, in the order to look at them."""
    note = "Synthetic data." if dataset.card.is_synthetic else ""
    drawn = _draw_examples(dataset, scores, found, main, folder)
    groups = {
        f"{structure}, {phase or 'no phase'}": part["dice"].to_numpy()
        for (structure, phase), part in scores.sort(_rank(scores), "phase", maintain_order=True).group_by(
            "structure", "phase", maintain_order=True
        )
    }
    draw_distribution(groups, folder / "dice.png", f"Dice of each image. {note}".strip())
    drawn["dice.png"] = "Dice of each image, by structure and phase"
    fractions = ejection_fractions(scores)
    (folder / "agreement.png").unlink(missing_ok=True)  # of an earlier evaluation
    panels = _panels(fractions, str(scores["unit"][0]))
    if panels:
        draw_agreement(panels, folder / "agreement.png", note)
        drawn["agreement.png"] = (
            "Ejection fraction and volumes from the masks found, beside the expert's masks"
        )
    return drawn


def _rank(scores: pl.DataFrame) -> pl.Expr:
    """Structures in the order in which they first come."""
    names = scores["structure"].unique(maintain_order=True)
    return pl.col("structure").replace_strict(dict(zip(names, range(len(names)), strict=True)))


def _panels(fractions: pl.DataFrame, unit: str) -> list[Compared]:
    """Of one plane, or of two where there are both."""
    views = fractions["echo_view"].unique().to_list()
    view = next((name for name in ("both", "a4c", "a2c") if name in views), "")
    rows = fractions.filter(pl.col("echo_view") == view)
    if len(rows) < 2:
        return []
    volume = "ml" if unit == "mm" else "px³ / 1000"
    names = {
        "ef": ("ejection fraction", "points"),
        "edv": ("end-diastolic volume", volume),
        "esv": ("end-systolic volume", volume),
    }
    return [
        Compared(title, own, rows[f"found_{name}"].to_numpy(), rows[f"true_{name}"].to_numpy())
        for name, (title, own) in names.items()
    ]


def _draw_examples(
    dataset: Dataset, scores: pl.DataFrame, found: pl.DataFrame, main: str, folder: Path
) -> dict[str, str]:
    ranked = scores.filter(pl.col("structure") == main).sort("dice", "clip", "frame")
    count = len(ranked)
    middle = max(0, count // 2 - EACH // 2)
    parts = {"worst": ranked[:EACH], "median": ranked[middle : middle + EACH], "best": ranked[-EACH:]}
    synthetic = " Synthetic data." if dataset.card.is_synthetic else ""
    drawn = {}
    for name, rows in parts.items():
        overlays = [_overlay(dataset, row, found) for row in rows.iter_rows(named=True)]
        draw_overlay_file(
            overlays, folder / f"{name}.png", f"{name.capitalize()} images by Dice of {main}.{synthetic}"
        )
        drawn[f"{name}.png"] = f"The {name} images by Dice of {main}"
    return drawn


def _overlay(dataset: Dataset, row: Mapping[str, Any], found: pl.DataFrame) -> Overlay:
    """At the size of the stored frame, in the true proportions."""
    clip = dataset.clip_row(row["clip"])
    fit = fit_of(clip, dataset.card.preprocessing["fit"])
    where = (pl.col("clip") == row["clip"]) & (pl.col("frame") == row["frame"])
    masks = {
        one["structure"]: fit.labels(runlength.decode(one["runs"], one["height"], one["width"]))
        for one in found.filter(where).iter_rows(named=True)
    }
    traces = dataset.traces.filter(where & pl.col("structure").is_in(list(masks)))
    truth = {trace["structure"]: dataset.trace_mask(trace) for trace in traces.iter_rows(named=True)}
    phase = f" {row['phase'].upper()}" if row["phase"] else ""
    aspect = (clip["spacing_mm_y"] or 1.0) / (clip["spacing_mm_x"] or 1.0)
    pixels = np.asarray(dataset.clip_frames(row["clip"])[row["frame"]])
    return Overlay(pixels, masks, truth, f"{row['clip'][:22]}{phase} Dice {row['dice']:.3f}", aspect)
