"""The figures of the grid as tables: the cells' files come in, Markdown and JSON go out.

An error of a mean over held-out frames takes the frames of a patient as one. Differences to random weights are taken
frame by frame, so that what is hard for both does not count. Both trained and random weights are the mean of the seeds
that there are, and of the two kinds of random weights the better one counts, measure by measure.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from apical.dataset import Dataset
from apical.version import VERSION

Values = npt.NDArray[np.float64]
Cell = Mapping[str, Any]

FEW_LINES = 2
"""Of the log, at either end, are averaged."""
RANDOM = ("random", "random, settled")
"""Kinds of random weights: with batch norms as drawn, and with their statistics taken from images."""
LOGGED = ("teacher_kl", "teacher_entropy", "dense", "accuracy", "spread")
WATCHED = ("knn_phase", "knn_edv_ml", "knn_esv_ml", "knn_ef_percent", "rankme", "feature_spread", "alignment")
TOLD = {"phase": "phase", "area": "area third", "ejection": "EF third"}
"""What neighbours are asked for, and how it is headed."""


def write_tables(out: Path, dataset: Dataset, plan: Mapping[str, Any]) -> str:
    """Write `results.json` and `results.md` of the cells that are done; the latter is given back."""
    cells = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / "cells").glob("*.json"))]
    rows = rows_of(cells, plan)
    facts = {
        "data": f"{dataset.card.title} ({'synthetic' if dataset.card.is_synthetic else 'real'})",
        "patients": {
            "trained on": dataset.usable_clips.filter(split="train")["patient"].n_unique(),
            "held out": len(set(cells[0]["patients"])),
        },
        "content_sha256": dataset.card.content_sha256,
        "machine": machine(),
        "plan": plan,
    }
    text = markdown(rows, plan, facts)
    (out / "results.json").write_text(as_json(facts, rows), encoding="utf-8")
    (out / "results.md").write_text(text, encoding="utf-8")
    return text


def machine() -> str:
    """What it ran on, in a line."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    size = f"{os.cpu_count()} cores, {torch.get_num_threads()} thread(s) a process"
    return f"{names[0] if names else platform.machine()}, {size}, torch {torch.__version__}, apical {VERSION}"


def as_json(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """JSON with one row of the table a line."""
    head = json.dumps(facts, indent=1)[:-2]
    return head + ',\n "rows": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "\n ]\n}\n"


def rows_of(cells: Sequence[Cell], plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each kind of random weights of each backbone, and for each method; seeds are taken together."""
    rows = []
    for backbone in ["", *plan["backbones"]]:
        here = [cell for cell in cells if cell["backbone"] == backbone]
        kinds = {name: [cell for cell in here if cell["method"] == name] for name in RANDOM}
        randoms = [kind for kind in kinds.values() if kind]
        methods = sorted({cell["method"] for cell in here} - set(RANDOM))
        rows += [_row(kind, plan) for kind in randoms]
        for method in methods:
            same = [cell for cell in here if cell["method"] == method]
            rows.append(_row(same, plan) | _gains(same, randoms, plan))
    return rows


def _row(cells: Sequence[Cell], plan: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured of a cell, on average of its seeds, and how far those lie apart."""
    row: dict[str, Any] = {name: cells[0][name] for name in ("backbone", "method")}
    row |= {"seeds": len(cells)} | (_log_figures(cells) if "log" in cells[0] else {})
    for name in _measures(plan):
        row[name] = _by_patient(cells[0], _mean(cells, name))
        if len(cells) > 1:
            apart = np.std([_values(cell, name).mean() for cell in cells], ddof=1)
            row[f"{name} deviation"] = round(float(apart), 4)
    return row


def _gains(
    cells: Sequence[Cell], randoms: Sequence[Sequence[Cell]], plan: Mapping[str, Any]
) -> dict[str, Any]:
    """By how much cells are better than the better kind of random weights, measure by measure."""
    gains = {}
    for name in _measures(plan) if randoms else ():
        best = max((_mean(kind, name) for kind in randoms), key=lambda values: float(values.mean()))
        gains[f"{name} gain"] = _by_patient(cells[0], _mean(cells, name) - best)
    return gains


def _measures(plan: Mapping[str, Any]) -> tuple[str, ...]:
    return *TOLD, str(plan["few"]), str(plan["many"])


def _mean(cells: Sequence[Cell], name: str) -> Values:
    mean: Values = np.mean([_values(cell, name) for cell in cells], axis=0)
    return mean


def _values(cell: Cell, name: str) -> Values:
    """By held-out frame; Dice is averaged over the draws of labels."""
    return np.asarray(cell[name] if name in TOLD else np.mean(cell["dice"][name], axis=0), np.float64)


def _by_patient(cell: Cell, values: Values) -> list[float]:
    """The mean over held-out frames and its standard error, taken over patients."""
    names, of_frame = np.unique(cell["patients"], return_inverse=True)
    means = np.bincount(of_frame, values, len(names)) / np.bincount(of_frame, minlength=len(names))
    return [round(float(means.mean()), 4), round(float(means.std(ddof=1) / np.sqrt(len(means))), 4)]


def _log_figures(cells: Sequence[Cell]) -> dict[str, Any]:
    """The losses at both ends of training, and what the monitors saw at the first and the last look."""
    figures: dict[str, Any] = {"steps": cells[0]["steps"], "seconds": round(float(_over(cells, _seconds)), 1)}
    for name in ("loss", *LOGGED, "val_loss", *WATCHED):
        count = FEW_LINES if name in {"loss", *LOGGED} else 1
        ends = [_ends(cell["log"], name, count) for cell in cells]
        if all(ends):
            figures[name] = [round(float(value), 4) for value in np.mean(ends, axis=0)]
    return figures


def _seconds(cell: Cell) -> float:
    return float(cell["seconds"])


def _over(cells: Sequence[Cell], figure: Any) -> float:
    return float(np.mean([figure(cell) for cell in cells]))


def _ends(log: Sequence[Mapping[str, float]], name: str, count: int) -> list[float]:
    """The mean of the first and of the last few values; empty where there is none."""
    values = [line[name] for line in log if name in line]
    return [float(np.mean(values[:count])), float(np.mean(values[-count:]))] if values else []


def markdown(rows: Iterable[Mapping[str, Any]], plan: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The tables, and what they were made from."""
    few, many = str(plan["few"]), str(plan["many"])
    names = {**TOLD, few: f"LV Dice, {few} labelled", many: f"{many} labelled"}
    columns = [
        "backbone",
        "method",
        "seeds",
        "steps",
        "loss",
        "held-out loss",
        "monitor: phase",
        *names.values(),
    ]
    lines = [
        f"{facts['data']}; {facts['patients']['trained on']} patients trained on,"
        f" {facts['patients']['held out']} held out.",
        "",
        f"Machine: {facts['machine']}.",
        "",
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
    ]
    for row in rows:
        ends = [_arrow(row.get(name, ())) for name in ("loss", "val_loss", "knn_phase")]
        measures = [_with_gain(row, name) for name in names]
        first = [row["backbone"], row["method"], str(row["seeds"]), str(row.get("steps", ""))]
        lines.append(f"| {' | '.join([*first, *ends, *measures])} |")
    return "\n".join(lines) + "\n"


def _arrow(ends: Sequence[float]) -> str:
    return " → ".join(f"{value:.3f}" for value in dict.fromkeys(ends))


def _with_gain(row: Mapping[str, Any], name: str) -> str:
    """The figure and, where there are random weights to compare with, the gain; bold from two standard errors on."""
    text = f"{row[name][0]:.3f}"
    if f"{name} gain" not in row:
        return f"{text} ± {row[name][1]:.3f}"
    gain, error = row[f"{name} gain"]
    change = f"{gain:+.3f} ± {error:.3f}"
    return f"{text} (**{change}**)" if gain > 2 * error else f"{text} ({change})"
