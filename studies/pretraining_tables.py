"""The figures of the grid as tables: the cells' files come in, Markdown and JSON go out.

An error of a mean over held-out frames takes the frames of a patient as one. Differences to random weights are taken
frame by frame, so that what is hard for both does not count; random weights are the mean of several draws, and of their
two kinds the better one counts.
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

FEW_LINES = 3
"""Of the log, at either end, are averaged."""
HEAD = "| backbone | method | steps | loss | val loss | monitor kNN phase | {measures} |"
RANDOM = ("random", "random, settled")
"""Kinds of random weights: with batch norms as drawn, and with their statistics taken from images."""


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
    (out / "results.json").write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    (out / "results.md").write_text(text, encoding="utf-8")
    return text


def machine() -> str:
    """What it ran on, in a line."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    size = f"{os.cpu_count()} cores, {torch.get_num_threads()} thread(s) a process"
    return f"{names[0] if names else platform.machine()}, {size}, torch {torch.__version__}, apical {VERSION}"


def rows_of(cells: Sequence[Cell], plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each backbone's random weights, and for each trained cell."""
    rows = []
    for backbone in ["", *plan["backbones"]]:
        here = [cell for cell in cells if cell["backbone"] == backbone]
        drawn = [[cell for cell in here if cell["method"] == kind] for kind in RANDOM]
        randoms = [kind for kind in drawn if kind]
        rows += [_row(kind, plan) | _spread(kind, plan) for kind in randoms]
        for cell in [cell for cell in here if cell["method"] not in RANDOM]:
            rows.append(_row([cell], plan) | _gains(cell, randoms, plan))
    return rows


def _row(cells: Sequence[Cell], plan: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured of a cell, or on average of several draws of one."""
    cell = cells[0]
    row: dict[str, Any] = {name: cell[name] for name in ("backbone", "method")}
    row |= {name: cell[name] for name in ("variant", "settings") if cell.get(name)}
    row |= _log_figures(cell) if "log" in cell else {}
    return row | {name: _by_patient(cell, _mean(cells, name)) for name in _measures(plan)}


def _gains(cell: Cell, randoms: Sequence[Sequence[Cell]], plan: Mapping[str, Any]) -> dict[str, Any]:
    """By how much a cell is better than the better kind of random weights, measure by measure."""
    gains = {}
    for name in _measures(plan) if randoms else ():
        best = max((_mean(kind, name) for kind in randoms), key=lambda values: float(values.mean()))
        gains[f"{name} gain"] = _by_patient(cell, _values(cell, name) - best)
    return gains


def _spread(cells: Sequence[Cell], plan: Mapping[str, Any]) -> dict[str, Any]:
    """How far the draws of random weights lie apart."""
    means = {name: [_values(cell, name).mean() for cell in cells] for name in _measures(plan)}
    deviations = {name: round(float(np.std(values, ddof=1)), 4) for name, values in means.items()}
    return {"deviation of draws": deviations}


def _measures(plan: Mapping[str, Any]) -> tuple[str, ...]:
    return "phase", str(plan["few"]), str(plan["many"])


def _mean(cells: Sequence[Cell], name: str) -> Values:
    mean: Values = np.mean([_values(cell, name) for cell in cells], axis=0)
    return mean


def _values(cell: Cell, name: str) -> Values:
    """By held-out frame; Dice is averaged over the draws of labels."""
    return np.asarray(cell["phase"] if name == "phase" else np.mean(cell["dice"][name], axis=0), np.float64)


def _by_patient(cell: Cell, values: Values) -> list[float]:
    """The mean over held-out frames and its standard error, taken over patients."""
    names, of_frame = np.unique(cell["patients"], return_inverse=True)
    means = np.bincount(of_frame, values, len(names)) / np.bincount(of_frame, minlength=len(names))
    return [round(float(means.mean()), 4), round(float(means.std(ddof=1) / np.sqrt(len(means))), 4)]


def _log_figures(cell: Cell) -> dict[str, Any]:
    """The loss at both ends of training, and what the monitors saw at each look."""
    log = cell["log"]
    figures: dict[str, Any] = {"steps": cell["steps"], "seconds": round(cell["seconds"], 1)}
    for name in ("loss", "teacher_kl", "teacher_entropy", "dense", "accuracy", "spread"):
        values = [line[name] for line in log if name in line]
        if values:
            ends = np.mean(values[:FEW_LINES]), np.mean(values[-FEW_LINES:])
            figures[name] = [round(float(end), 4) for end in ends]
    for name in ("val_loss", "knn_phase", "rankme", "feature_spread", "alignment", "uniformity"):
        values = [round(line[name], 4) for line in log if name in line]
        if values:
            figures[name] = values
    return figures


def markdown(rows: Iterable[Mapping[str, Any]], plan: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The tables, and what they were made from."""
    few, many = str(plan["few"]), str(plan["many"])
    names = {"phase": "phase kNN", few: f"LV Dice, {few} patients", many: f"LV Dice, {many} patients"}
    head = HEAD.format(measures=" | ".join(f"{text} | gain" for text in names.values()))
    lines = [
        f"{facts['data']}; {facts['patients']['trained on']} patients trained on,"
        f" {facts['patients']['held out']} held out.",
        "",
        f"Machine: {facts['machine']}.",
        "",
        head,
        "|" + "---|" * (head.count("|") - 1),
    ]
    for row in rows:
        what = " ".join(filter(None, [row["method"], row.get("variant")]))
        ends = [_arrow(row.get(name, ())) for name in ("loss", "val_loss", "knn_phase")]
        measures = [_with_error(row.get(key)) for name in names for key in (name, f"{name} gain")]
        cells = [row["backbone"], what, str(row.get("steps", "")), *ends, *measures]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _arrow(values: Sequence[float]) -> str:
    ends = values if len(values) < 2 else (values[0], values[-1])
    return " → ".join(f"{value:.3f}" for value in ends)


def _with_error(pair: Sequence[float] | None) -> str:
    return "" if pair is None else f"{pair[0]:.3f} ± {pair[1]:.3f}"
