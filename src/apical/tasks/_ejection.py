"""Ejection fractions: scores with discs at end-diastole and end-systole come in, one row a patient goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from apical.measures.discs import Discs, biplane_ml, ejection_fraction_percent
from apical.statistics.agreement import agreement

__all__ = ["agreements", "ejection_fractions"]

SOURCES = ("found", "true")


def ejection_fractions(scores: pl.DataFrame) -> pl.DataFrame:
    """Rows (clip, patient, echo_view, found_edv, found_esv, found_ef, true_edv, …) where both phases are known.

    A patient with both apical views has a row by two planes as well, whose `echo_view` is `both`.
    """
    usable = scores.filter((pl.col("structure") == "lv") & pl.col("phase").is_in(["ed", "es"]))
    usable = usable.drop_nulls(["found_volume", "true_volume"])
    rows = [_of_clip(part) for _, part in usable.group_by("clip", maintain_order=True)]
    rows += [_of_two_planes(part) for _, part in usable.group_by("patient", "study", maintain_order=True)]
    return pl.DataFrame([row for row in rows if row is not None], schema=_schema())


def agreements(fractions: pl.DataFrame, labels: pl.DataFrame | None) -> dict[str, Any]:
    """How well ejection fractions and volumes from the found masks agree with the experts' masks, and with labels.

    `labels` has rows (clip, ef_percent).
    """
    found: dict[str, Any] = {}
    for plane, view in (("a4c", "a4c"), ("a2c", "a2c"), ("biplane", "both")):
        rows = fractions.filter(pl.col("echo_view") == view)
        if rows.is_empty():
            continue
        for name in ("ef", "edv", "esv"):
            found[f"{name} {plane}, expert's masks"] = asdict(
                agreement(rows[f"found_{name}"], rows[f"true_{name}"])
            )
        if labels is not None:
            known = rows.join(labels, on="clip").drop_nulls("ef_percent")
            if not known.is_empty():
                found[f"ef {plane}, as reported"] = asdict(agreement(known["found_ef"], known["ef_percent"]))
    return found


def _of_clip(rows: pl.DataFrame) -> dict[str, Any] | None:
    """One plane."""
    by_phase = {row["phase"]: row for row in rows.iter_rows(named=True)}
    if set(by_phase) != {"ed", "es"}:
        return None
    first = by_phase["ed"]
    about = {name: first[name] for name in ("clip", "patient", "echo_view")}
    volumes = {
        source: tuple(by_phase[phase][f"{source}_volume"] for phase in ("ed", "es")) for source in SOURCES
    }
    return {**about, **_fractions(volumes)}


def _of_two_planes(rows: pl.DataFrame) -> dict[str, Any] | None:
    """Both apical views of one study, each phase once."""
    by_place = {(row["echo_view"], row["phase"]): row for row in rows.iter_rows(named=True)}
    if len(by_place) != 4 or len(rows) != 4:
        return None
    first = by_place["a4c", "ed"]
    volumes = {
        source: tuple(
            biplane_ml(_discs(by_place["a4c", phase], source), _discs(by_place["a2c", phase], source))
            for phase in ("ed", "es")
        )
        for source in SOURCES
    }
    return {"clip": first["clip"], "patient": first["patient"], "echo_view": "both", **_fractions(volumes)}


def _discs(row: Mapping[str, Any], source: str) -> Discs:
    return Discs(np.asarray(row[f"{source}_diameters"], np.float64), row[f"{source}_length"])


def _fractions(volumes: Mapping[str, tuple[float, ...]]) -> dict[str, float]:
    fractions = {}
    for source, (diastole, systole) in volumes.items():
        fractions[f"{source}_edv"], fractions[f"{source}_esv"] = diastole, systole
        fractions[f"{source}_ef"] = ejection_fraction_percent(diastole, systole)
    return fractions


def _schema() -> dict[str, Any]:
    numbers = [f"{source}_{name}" for source in SOURCES for name in ("edv", "esv", "ef")]
    return {
        **dict.fromkeys(("clip", "patient", "echo_view"), pl.String),
        **dict.fromkeys(numbers, pl.Float64),
    }
