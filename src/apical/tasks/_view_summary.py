"""Scores of many images in a few figures: rows of answers come in; accuracies, intervals and a table go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import polars as pl

from apical.scores import readable
from apical.statistics.bootstrap import Estimate, balanced_interval, mean_interval
from apical.tasks._view_trust import Trust

__all__ = ["CANT_TELL", "confusion", "in_table_order", "summarised", "summary_lines", "title_of"]

CANT_TELL = "can't tell"
TABLE_ORDER = ("a2c", "a4c", "plax", "psax", "other")
"""As in Majchrowska et al. 2023, table 3."""
WIDTH = 11


def in_table_order(views: Sequence[str]) -> list[str]:
    """The views in the order in which tables have them."""
    return [view for view in TABLE_ORDER if view in views]


def title_of(view: str) -> str:
    """As tables and pictures write it."""
    return view.upper() if view in {"a2c", "a4c", "plax", "psax"} else view


def summarised(scores: pl.DataFrame, views: Sequence[str], trust: Trust | None) -> dict[str, Any]:
    """Accuracies of likeliest views, by view and over all; then what is answered, and what is taken for what."""
    order, patients = in_table_order(views), scores["patient"].to_list()
    answered = scores.filter("is_answered")
    balanced = balanced_interval(scores["correct"], scores["echo_view"], patients)
    return {
        "images": len(scores),
        "patients": scores["patient"].n_unique(),
        "views": {view: _accuracy(scores.filter(pl.col("echo_view") == view)) for view in order},
        "accuracy": _accuracy(scores),
        "balanced_accuracy": _figure(balanced),
        "answered": _figure(mean_interval(scores["is_answered"].cast(pl.Float64), patients)),
        "accuracy_of_answered": _accuracy(answered),
        "trust": None if trust is None else asdict(trust),
        "confusion": confusion(scores, order),
        "confusion_if_all_are_answered": confusion(scores, order, "best"),
    }


def confusion(
    scores: pl.DataFrame, order: Sequence[str], column: Literal["answer", "best"] = "answer"
) -> dict[str, dict[str, int]]:
    """By true view: how many images get which answer, or have which view as the likeliest."""
    answers = (*order, CANT_TELL) if column == "answer" else order
    groups = scores.group_by("echo_view", column).len()
    counts = {(truth, answer): count for truth, answer, count in groups.iter_rows()}
    return {truth: {answer: counts.get((truth, answer), 0) for answer in answers} for truth in order}


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """The paper's table, what is answered, and what is taken for what."""
    columns = {**summary["views"], "Total": summary["accuracy"]}
    rows: dict[str, list[str]] = {
        "images": [str(one["images"]) for one in columns.values()],
        "right, %": [_percent(one["value"]) for one in columns.values()],
        "  95 % from": [_percent(one["low"]) for one in columns.values()],
        "  to": [_percent(one["high"]) for one in columns.values()],
    }
    lines = [_line("If all are answered", map(title_of, columns))]
    lines += [_line(name, cells) for name, cells in rows.items()]
    lines.append(f"Mean of the views (balanced accuracy): {_with_limits(summary['balanced_accuracy'])}.")
    return [*lines, *_answered_lines(summary), *_confusion_lines(summary["confusion"])]


def _answered_lines(summary: Mapping[str, Any]) -> list[str]:
    trust, answered = summary["trust"], summary["accuracy_of_answered"]
    if trust is None:
        return ["Every image is answered: none is refused for want of confidence."]
    if trust["threshold"] is None:
        return ["No confidence was enough in training, so no image is answered."]
    if not answered["images"]:
        return [f"No image reached the confidence {trust['threshold']:.3f}, so none is answered."]
    return [
        f"Answered: {answered['images']} of {summary['images']} images, {_with_limits(summary['answered'])}, "
        f"at confidences from {trust['threshold']:.3f}.",
        f"Right among the answered: {_with_limits(answered)}; in training, each without its own patient, "
        f"{_percent(trust['accuracy_of_answered'])} % (wanted: {_percent(trust['trusted'])} %).",
    ]


def _confusion_lines(table: Mapping[str, Mapping[str, int]]) -> list[str]:
    answers = next(iter(table.values()), {})
    lines = [_line("True view, and answers", map(title_of, answers))]
    return [*lines, *(_line(title_of(truth), map(str, row.values())) for truth, row in table.items())]


def _line(name: str, cells: Any) -> str:
    return f"{name:<24}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)


def _with_limits(figure: Mapping[str, Any]) -> str:
    low, high = _percent(figure["low"]), _percent(figure["high"])
    return f"{_percent(figure['value'])} % ({low} to {high})"


def _percent(share: float | None) -> str:
    return readable(None if share is None else round(100 * share, 2) + 0.0, ".2f")  # never -0.00


def _accuracy(rows: pl.DataFrame) -> dict[str, Any]:
    interval = mean_interval(rows["correct"], rows["patient"].to_list()) if len(rows) else UNKNOWN
    return {"images": len(rows), "patients": rows["patient"].n_unique(), **_figure(interval)}


def _figure(interval: Estimate) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"), 0.95, 0)
