"""Scores of many images in a few figures: rows of scores come in; means, their intervals and agreements go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from apical.scores import readable
from apical.statistics.bootstrap import mean_interval, ratio_interval
from apical.tasks._ejection import agreements, ejection_fractions

__all__ = ["summarised", "summary_lines"]

PHASES = {"all": None, "ed": "ed", "es": "es"}
Summary = Mapping[str, Any]


def summarised(scores: pl.DataFrame, figures: Sequence[str], labels: pl.DataFrame | None) -> dict[str, Any]:
    """By structure and phase: each figure's mean, SD and interval over patients, and Dice of all pixels pooled."""
    structures: dict[str, Any] = {}
    for structure in scores["structure"].unique(maintain_order=True):
        rows = scores.filter(pl.col("structure") == structure)
        parts = {
            name: rows if phase is None else rows.filter(pl.col("phase") == phase)
            for name, phase in PHASES.items()
        }
        structures[structure] = {
            name: _of(part, figures) for name, part in parts.items() if not part.is_empty()
        }
    return {"structures": structures, "agreement": agreements(ejection_fractions(scores), labels)}


def summary_lines(summary: Summary) -> list[str]:
    """The table that a terminal shows."""
    lines = [
        f"{'':<18}{'images':>7}  {'Dice (SD)':<16}{'95 % interval':<18}{'HD95':>9}{'ASD':>10}  pooled Dice"
    ]
    for structure, phases in summary["structures"].items():
        for phase, part in phases.items():
            lines.append(_line(structure, phase, part))
    lines += [_agreement_line(summary, what, one) for what, one in summary["agreement"].items()]
    for structure, phases in summary["structures"].items():
        if count := phases["all"]["found_nothing"]:
            images = phases["all"]["images"]
            lines.append(
                f"Nothing was found of {structure} in {count} of {images} images: Dice 0, no distance."
            )
    return lines


def _agreement_line(summary: Summary, what: str, one: Mapping[str, Any]) -> str:
    unit = "points" if what.startswith("ef") else _volume_unit(summary)
    bias, low, high = (readable(one[name], "+.1f") for name in ("bias", "low", "high"))
    error, correlation = readable(one["mean_absolute_error"], ".1f"), readable(one["correlation"], ".2f")
    return (
        f"{what}: bias {bias} {unit}, limits {low} to {high}, "
        f"mean absolute error {error}, r {correlation} (n {one['n']})"
    )


def _volume_unit(summary: Summary) -> str:
    """Discs are in pixels where the spacing is unknown."""
    units = {part["unit"] for phases in summary["structures"].values() for part in phases.values()}
    return "ml" if units == {"mm"} else "px³ / 1000"


def _line(structure: str, phase: str, part: Mapping[str, Any]) -> str:
    dice, unit = part["dice"], part["unit"]
    spread = f"{readable(dice['mean'], '.4f')} ({readable(dice['sd'], '.3f')})"
    interval = f"{readable(dice['low'], '.4f')} to {readable(dice['high'], '.4f')}"
    hd95, asd = (f"{readable(part[name]['mean'], '.2f')} {unit}" for name in ("hd95", "asd"))
    return (
        f"{structure + ', ' + phase:<18}{part['images']:>7}  {spread:<16}{interval:<18}{hd95:>9}{asd:>10}  "
        f"{readable(part['pooled_dice']['value'], '.4f')}"
    )


def _of(rows: pl.DataFrame, figures: Sequence[str]) -> dict[str, Any]:
    patients = rows["patient"].to_list()
    pooled = ratio_interval(2 * rows["shared_area"], rows["found_area"] + rows["true_area"], patients)
    return {
        "images": len(rows),
        "patients": rows["patient"].n_unique(),
        "unit": rows["unit"][0],
        "found_nothing": int(((rows["found_area"] == 0) & (rows["true_area"] > 0)).sum()),
        **{name: _figure(rows, name) for name in figures},
        "pooled_dice": asdict(pooled),
    }


def _figure(rows: pl.DataFrame, name: str) -> dict[str, float]:
    """Of the images that have it: a distance is not known where nothing was found, which is counted apart."""
    known = rows.filter(pl.col(name).is_not_nan() & pl.col(name).is_not_null())
    values = known[name].to_numpy()
    if not len(values):
        return dict.fromkeys(("mean", "sd", "low", "high", "median"), float("nan")) | {"images": 0}
    interval = mean_interval(values, known["patient"].to_list())
    sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return {
        "mean": float(values.mean()),
        "sd": sd,
        "low": interval.low,
        "high": interval.high,
        "median": float(np.median(values)),
        "images": len(values),
    }
