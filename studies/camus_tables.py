"""Finished cells in a table and a plot: a folder of cells comes in; Markdown, JSON and a picture go out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from apical.statistics.bootstrap import mean_interval

NAME = "label-efficiency"
ALL = "all"
COLOURS = ("#718096", "#2b6cb0", "#c53030", "#d69e2e", "#2f855a", "#6b46c1", "#dd6b20")
Cell = Mapping[str, Any]
Line = Mapping[str, Any]


def write_tables(cells: Path, out: Path, about: Mapping[str, Any]) -> str:
    """Write `label-efficiency.md`, `.json` and `.png` of what is finished; the table."""
    found = [json.loads(path.read_text()) for path in sorted((cells / "cells").glob("*.json"))]
    lines = sorted(_lines(found), key=lambda line: (line["start"], _number(line["labels"])))
    out.mkdir(parents=True, exist_ok=True)
    table = _table(lines)
    machine = sorted({f"{cell['device']}, torch {cell['versions']['torch']}" for cell in found})
    about = {**about, "machine": machine}
    (out / f"{NAME}.json").write_text(json.dumps({**about, "lines": lines}, indent=1) + "\n")
    (out / f"{NAME}.table.md").write_text(_heading(about) + table)
    _plot(lines, about, out / f"{NAME}.png")
    return table


def _number(labels: str) -> int:
    return 10**6 if labels == ALL else int(labels)


def _lines(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """One for each start and amount: means over draws, and over images and patients of all draws together."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell["start"], cell["labels"]), []).append(cell)
    return [_line(start, labels, group) for (start, labels), group in groups.items()]


def _line(start: str, labels: str, cells: list[Cell]) -> dict[str, Any]:
    """Dice of an image is averaged over draws first, so that the interval is over patients."""
    dice = np.array([cell["dice"] for cell in cells])
    interval = mean_interval(dice.mean(axis=0), cells[0]["patients"])
    return {
        "start": start,
        "labels": labels,
        "draws": len(cells),
        "dice": round(float(dice.mean()), 4),
        "sd_images": round(float(dice.std(axis=1, ddof=1).mean()), 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
        "by_draw": [round(float(each), 4) for each in dice.mean(axis=1)],
        "worst_image": round(float(dice.min()), 3),
        "hd95_mm": round(float(np.mean([cell["hd95_mm"] for cell in cells])), 2),
        "ef_mae": round(float(np.mean([cell["ef_mae"] for cell in cells])), 2),
        "steps": cells[0]["steps"],
        "seconds": round(float(np.median([cell["seconds"] for cell in cells]))),
    }


def _heading(about: Mapping[str, Any]) -> str:
    return (
        f"Real data: {about['data']} ({about['licence']}). {about['citation']}\n\n"
        f"Patients by split: {about['patients']}. Settings: {about['plan']}. "
        f"Machine: {'; '.join(about['machine'])}.\n\n"
    )


def _table(lines: Iterable[Line]) -> str:
    rows = [
        "| start | annotated patients | draws | LV Dice (SD over images) | 95 % interval over patients | each draw | "
        "worst image | HD95, mm | EF error, points | steps |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [_row(line) for line in lines]
    return "\n".join(rows) + "\n"


def _row(line: Line) -> str:
    return (
        f"| {line['start']} | {line['labels']} | {line['draws']} | {line['dice']:.4f} ({line['sd_images']:.3f}) | "
        f"{line['low']:.4f} to {line['high']:.4f} | {', '.join(f'{each:.4f}' for each in line['by_draw'])} | "
        f"{line['worst_image']:.3f} | {line['hd95_mm']:.2f} | {line['ef_mae']:.1f} | {line['steps']} |"
    )


def _plot(lines: Iterable[Line], about: Mapping[str, Any], path: Path) -> None:
    """Dice against annotated patients, a curve a start, with each draw as a point."""
    figure = Figure(figsize=(8.2, 5.0), layout="constrained")
    axes = figure.add_subplot()
    everyone = int(about["patients"].get("train", 400))
    by_start: dict[str, list[Line]] = {}
    for line in lines:
        if _number(line["labels"]) == 0:
            axes.axhline(line["dice"], color=COLOURS[0], linewidth=1, linestyle=(0, (4, 3)))
            axes.text(1, line["dice"], " no label at all: synthetic hearts alone", fontsize=7, va="bottom")
        else:
            by_start.setdefault(line["start"], []).append(line)
    for (start, own), colour in zip(by_start.items(), COLOURS, strict=False):
        where = [everyone if line["labels"] == ALL else int(line["labels"]) for line in own]
        axes.plot(where, [line["dice"] for line in own], "-", color=colour, linewidth=1.6, label=start)
        axes.fill_between(
            where, [line["low"] for line in own], [line["high"] for line in own], color=colour, alpha=0.12
        )
        for place, line in zip(where, own, strict=True):
            axes.plot(
                [place] * len(line["by_draw"]), line["by_draw"], "o", color=colour, markersize=3.5, alpha=0.8
            )
    axes.set_xscale("log")
    ticks = [1, 2, 4, 8, 20, 40, 100, everyone]
    axes.set_xticks(ticks, [str(tick) for tick in ticks], fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel("annotated patients", fontsize=9)
    axes.set_ylabel("Dice of the left ventricle", fontsize=9)
    axes.set_title(
        f"{about['data']}, validation patients; bands: 95 % over patients, points: draws",
        loc="left",
        fontsize=9,
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    figure.supxlabel(
        "Research use only. Not a medical device.", fontsize=7, color="#718096", x=0.01, ha="left"
    )
    figure.savefig(path, dpi=120)
