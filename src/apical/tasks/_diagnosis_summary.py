"""Scores of many studies in a few figures: rows of studies come in; figures, intervals and a table go out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from apical.scores import readable
from apical.statistics.bootstrap import Estimate, balanced_interval, mean_interval
from apical.statistics.calibration import ece
from apical.statistics.operating import operating_intervals
from apical.statistics.ranking import auprc, auprc_interval, auroc, auroc_interval
from apical.tasks._diagnosis_keeping import Kept
from apical.tasks._study_labels import NO, YES

__all__ = ["confusion", "summarised", "summary_lines", "watched_figures"]

Table = dict[str, dict[str, int]]

POINTS = {"balanced": "best balance", "f1": "best F1", "specific": "specificity {:.0%}"}
"""What each threshold was chosen for, on held-out studies."""
SHOWN = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "f1": "F1",
    "mcc": "Matthews' correlation",
}
NAME, CELL = 26, 24
"""Characters."""


def watched_figures(studies: pl.DataFrame, classes: Sequence[str]) -> dict[str, float]:
    """A few figures without intervals, while learning goes on; those that can't be had are left out."""
    truths = studies["truth"].to_numpy()
    if tuple(classes) == (NO, YES):
        beliefs = studies["probability"].to_numpy()
        figures = {"auroc": auroc(beliefs, truths), "auprc": auprc(beliefs, truths)}
    else:
        figures = {"auroc": _mean_auroc(studies, classes)}
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def summarised(
    scores: pl.DataFrame, label: str, classes: tuple[str, ...], kept: Kept | None
) -> dict[str, Any]:
    """All figures, with intervals from resampling patients."""
    patients = scores["patient"].to_list()
    counts = {name: int((scores["truth"] == number).sum()) for number, name in enumerate(classes)}
    return {
        "label": label,
        "studies": len(scores),
        "patients": scores["patient"].n_unique(),
        "classes": counts,
        "balanced_accuracy": _figure(balanced_interval(scores["correct"], scores["truth"], patients)),
        "log_loss": _figure(mean_interval(scores["log_loss"], patients)),
        "brier": _figure(mean_interval(scores["brier"], patients)),
        "temperature": kept.temperature if kept else 1.0,
        "confusion": confusion(scores, classes),
        **(
            _of_yes(scores, patients, kept) if classes == (NO, YES) else _of_grades(scores, classes, patients)
        ),
    }


def confusion(scores: pl.DataFrame, classes: Sequence[str]) -> Table:
    """By truth: how many studies get which answer."""
    counts = {
        (truth, answer): count
        for truth, answer, count in scores.group_by("truth", "answer").len().iter_rows()
    }
    return {
        name: {other: counts.get((truth, answer), 0) for answer, other in enumerate(classes)}
        for truth, name in enumerate(classes)
    }


def _of_yes(scores: pl.DataFrame, patients: list[str], kept: Kept | None) -> dict[str, Any]:
    beliefs, truths = scores["probability"].to_numpy(), scores["truth"].to_numpy()
    thresholds = kept.thresholds if kept else {"balanced": 0.5}
    return {
        "auroc": _figure(auroc_interval(beliefs, truths, patients)),
        "auprc": _figure(auprc_interval(beliefs, truths, patients)),
        "ece": ece(beliefs, truths),
        "ece_uncalibrated": ece(scores["raw_probability"].to_numpy(), truths),
        "specificity_wanted": kept.specificity if kept else None,
        "points": {name: _point(beliefs, truths, patients, value) for name, value in thresholds.items()},
    }


def _point(beliefs: Any, truths: Any, patients: list[str], threshold: float) -> dict[str, Any]:
    found = operating_intervals(beliefs, truths, patients, threshold)
    return {"threshold": threshold, **{name: _figure(found[name]) for name in SHOWN}}


def _of_grades(scores: pl.DataFrame, classes: Sequence[str], patients: list[str]) -> dict[str, Any]:
    truths, answers = scores["truth"].to_numpy(), scores["answer"].to_numpy()
    each = {
        name: _figure(auroc_interval(scores[f"p_{name}"].to_numpy(), truths == number, patients))
        for number, name in enumerate(classes)
    }
    return {
        "accuracy": _figure(mean_interval(scores["correct"], patients)),
        "kappa": _weighted_kappa(truths, answers, len(classes)),
        "mean_auroc": _mean_auroc(scores, classes),
        "auroc_of_each": each,
    }


def _mean_auroc(studies: pl.DataFrame, classes: Sequence[str]) -> float:
    """The mean over the grades that are there of each one against all others."""
    truths = studies["truth"].to_numpy()
    each = [auroc(studies[f"p_{name}"].to_numpy(), truths == number) for number, name in enumerate(classes)]
    known = [value for value in each if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan


def _weighted_kappa(truths: Any, answers: Any, count: int) -> float:
    """Cohen's, weighted by the square of how many grades lie between truth and answer; NaN where nothing varies."""
    seen = np.zeros((count, count))
    np.add.at(seen, (truths, answers), 1)
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / max(seen.sum(), 1)
    weights = np.subtract.outer(np.arange(count), np.arange(count)) ** 2
    by_chance = float((weights * expected).sum())
    return 1 - float((weights * seen).sum()) / by_chance if by_chance > 0 else np.nan


def _figure(interval: Estimate) -> dict[str, float]:
    values = asdict(interval)
    return {name: values[name] for name in ("value", "low", "high")}


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """What is told of whom, how well, and how sure one may be."""
    counts = ", ".join(f"{count} {name}" for name, count in summary["classes"].items())
    lines = [
        f"{summary['label']}: {summary['studies']} studies of {summary['patients']} patients ({counts})."
    ]
    lines += _lines_of_yes(summary) if "points" in summary else _lines_of_grades(summary)
    return [*lines, *_calibration_lines(summary)]


def _lines_of_yes(summary: Mapping[str, Any]) -> list[str]:
    """A row a figure, a column a threshold."""
    share = summary["classes"][YES] / max(summary["studies"], 1)
    points, wanted = summary["points"], summary["specificity_wanted"]
    titles = [POINTS[name].format(wanted or 0) for name in points]
    return [
        f"AUROC {_limits(summary['auroc'])}; AUPRC {_limits(summary['auprc'])}, chance {share:.3f}.",
        "Thresholds were chosen on held-out studies, for:",
        _row("", titles),
        _row("Yes from a probability of", [readable(point["threshold"], ".3f") for point in points.values()]),
        *(_row(word, [_limits(point[name], 2) for point in points.values()]) for name, word in SHOWN.items()),
    ]


def _row(name: str, cells: Iterable[str]) -> str:
    return f"{name:<{NAME}}" + "".join(f"{cell:>{CELL}}" for cell in cells)


def _lines_of_grades(summary: Mapping[str, Any]) -> list[str]:
    each = ", ".join(f"{name} {_limits(figure)}" for name, figure in summary["auroc_of_each"].items())
    rows = [
        f"  {name}: {', '.join(f'{count} {answer}' for answer, count in row.items())}"
        for name, row in summary["confusion"].items()
    ]
    return [
        f"Right: {_limits(summary['accuracy'])}; balanced accuracy {_limits(summary['balanced_accuracy'])}; "
        f"quadratic kappa {readable(summary['kappa'], '.3f')}.",
        f"AUROC of each grade against the others: {each}; mean {readable(summary['mean_auroc'], '.3f')}.",
        "Truth, and the answers given:",
        *rows,
    ]


def _calibration_lines(summary: Mapping[str, Any]) -> list[str]:
    words = f"Brier score {_limits(summary['brier'])}; log loss {_limits(summary['log_loss'])}"
    if "ece" in summary:
        words += (
            f"; calibration error {readable(summary['ece'], '.3f')} "
            f"(before the temperature {summary['temperature']:.2f}: {readable(summary['ece_uncalibrated'], '.3f')})"
        )
    return [f"{words}."]


def _limits(figure: Mapping[str, Any], digits: int = 3) -> str:
    value, low, high = (readable(figure[name], f".{digits}f") for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
