"""Finished cells of parcels, in the layout of the paper's Table 2: a folder of them comes in; a table goes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apical.statistics.bootstrap import mean_interval

NAME = "parcels"
COLUMNS = ("lv_es", "lv_ed", "la_es", "la_ed")
PAPER = (
    ("DINO ViT-S/4, EchoNet-Dynamic", 32, (61.33, 62.80, 47.27, 45.94)),
    ("DINO ViT-S/4, EchoNet-Dynamic", 64, (73.85, 78.13, 54.50, 53.80)),
    ("DINO ViT-S/4, EchoNet-Dynamic", 112, (75.67, 80.00, 55.49, 61.53)),
    ("DINO ViT-S/8, ImageNet", 64, (68.25, 74.89, 47.64, 53.16)),
)
"""Majchrowska 2023, Table 2, CAMUS, both apical views of 50 patients, all annotated training patients."""
Cell = Mapping[str, Any]


def write_table(cells: Path, out: Path, about: Mapping[str, Any]) -> str:
    """Write `parcels.table.md` and `parcels.json` of what is finished; the table."""
    found = [json.loads(path.read_text()) for path in sorted((cells / "cells").glob("*.json"))]
    lines = sorted(_lines(found), key=_order)
    table = _heading(about) + _table(lines)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{NAME}.table.md").write_text(table)
    (out / f"{NAME}.json").write_text(json.dumps({**about, "lines": lines}, indent=1) + "\n")
    return table


def _order(line: Mapping[str, Any]) -> tuple[Any, ...]:
    labels = 10**6 if line["labels"] == "all" else int(line["labels"])
    return line["encoder"], line["parcels"], line["rule"], labels


def _lines(cells: list[Cell]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        key = tuple(cell[name] for name in ("encoder", "parcels", "rule", "labels"))
        groups.setdefault(key, []).append(cell)
    return [_line(group) for group in groups.values()]


def _line(cells: list[Cell]) -> dict[str, Any]:
    """Means over draws and images; for each structure, over both phases, an interval over patients."""
    first = cells[0]
    line = {name: first[name] for name in ("encoder", "parcels", "rule", "labels", "alive", "stability")}
    line["draws"] = len(cells)
    line["device"] = first["device"]
    for column in COLUMNS:
        dice = np.array([cell["dice"][column] for cell in cells])
        line[column] = round(100 * float(dice.mean()), 2)
        line[f"{column}_sd"] = round(100 * float(dice.std(axis=1).mean()), 2)
    for name in ("lv", "la"):
        phases = [f"{name}_es", f"{name}_ed"]
        dice = np.concatenate([[cell["dice"][phase] for cell in cells] for phase in phases], axis=1)
        patients = [patient for phase in phases for patient in first["patients"][phase]]
        interval = mean_interval(dice.mean(axis=0), patients)
        line[name] = round(100 * float(dice.mean()), 2)
        line[f"{name}_low"], line[f"{name}_high"] = (
            round(100 * interval.low, 2),
            round(100 * interval.high, 2),
        )
    return line


def _heading(about: Mapping[str, Any]) -> str:
    kind = "**Synthetic data.** " if about["is_synthetic"] else ""
    return (
        f"{kind}{about['data']}, {about['split']}, four-chamber views at {about['image']} pixels. "
        f"Terms: {about['licence']}. {about['citation']}. Research use only.\n\n"
        "Dice in per cent: mean (SD) over images; the last two columns are both phases with a 95 % interval over "
        "patients.\n\n"
    )


def _table(lines: list[dict[str, Any]]) -> str:
    head = "| encoder | K | rule | patients | draws | LV ES | LV ED | LA ES | LA ED | LV | LA |\n"
    head += "|---|---|---|---|---|---|---|---|---|---|---|\n"
    return head + "".join(map(_row, lines)) + "".join(_paper_row(*row) for row in PAPER)


def _row(line: Mapping[str, Any]) -> str:
    cells = [f"{line[column]:.2f} ({line[f'{column}_sd']:.1f})" for column in COLUMNS]
    both = [
        f"{line[name]:.1f} [{line[f'{name}_low']:.1f} to {line[f'{name}_high']:.1f}]" for name in ("lv", "la")
    ]
    what = [line["encoder"], line["parcels"], line["rule"], line["labels"], line["draws"]]
    return f"| {' | '.join(map(str, [*what, *cells, *both]))} |\n"


def _paper_row(encoder: str, parcels: int, figures: tuple[float, ...]) -> str:
    cells = " | ".join(f"{figure:.2f}" for figure in figures)
    lv, la = (sum(figures[:2]) / 2, sum(figures[2:]) / 2)
    return f"| *paper: {encoder}* | {parcels} | paper | all | 1 | {cells} | {lv:.1f} | {la:.1f} |\n"
