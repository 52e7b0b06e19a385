"""Finished cells in a table and a plot: cells come in; Markdown, JSON and a picture go out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from apical.dataset import Dataset
from apical.statistics.delong import paired_auroc
from apical.statistics.ranking import auroc_interval

__all__ = ["write_tables"]

NAME = "label-efficiency"
STARTS = ("random", "simclr", "mi_simclr", "echoclr")
COLOURS = dict(zip(STARTS, ("#718096", "#d69e2e", "#2f855a", "#2b6cb0"), strict=True))
DISEASES = {"as_severe": "severe aortic stenosis", "lvh": "hypertrophy"}
PAPER = (
    (
        "severe aortic stenosis",
        "1 % (53 studies)",
        "EchoCLR 0.82 (0.79 to 0.84)",
        "Kinetics-400 0.61 (0.58 to 0.65)",
    ),
    ("hypertrophy", "10 % (519 studies)", "EchoCLR 0.72 (0.69 to 0.75)", "Kinetics-400 0.61 (0.57 to 0.64)"),
)
"""Holste 2024, from its abstract: AUROC on real studies of Yale, R3D-18."""
Cell = Mapping[str, Any]
Line = Mapping[str, Any]


def write_tables(cells: Iterable[Cell], dataset: Dataset, out: Path) -> str:
    """Write the table, the figures and the plot; the table."""
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell["disease"], cell["labels"], cell["start"]), []).append(cell)
    lines = [
        _line(key, group, groups.get((*key[:2], "random"), []))
        for key, group in sorted(groups.items(), key=lambda item: _order(*item[0]))
    ]
    out.mkdir(parents=True, exist_ok=True)
    table = _heading(dataset, groups.values()) + _table(lines)
    (out / f"{NAME}.table.md").write_text(table)
    (out / f"{NAME}.json").write_text(json.dumps({"synthetic": True, "lines": lines}, indent=1) + "\n")
    _plot(lines, out / f"{NAME}.png")
    return table


def _order(disease: str, labels: str, start: str) -> tuple[str, float, int]:
    share = 100.0 if labels == "all" else float(labels.rstrip("%"))
    return disease, share, STARTS.index(start)


def _line(key: tuple[str, str, str], cells: Sequence[Cell], random: Sequence[Cell]) -> dict[str, Any]:
    """The mean over draws of labels; its interval, and the difference from random, are those of the mean belief."""
    disease, labels, start = key
    told = [cell for cell in cells if "auroc" in cell]
    line: dict[str, Any] = {"disease": disease, "labels": labels, "start": start, "draws": len(told)}
    if not told:
        return line
    each = [cell["auroc"]["value"] for cell in told]
    truths, patients = told[0]["truths"], told[0]["patients"]
    interval = auroc_interval(_mean_ranks(told), truths, patients)
    line |= {
        "studies": told[0]["studies"],
        "auroc": float(np.mean(each)),
        "each": [round(value, 3) for value in each],
        "of_mean": {"value": interval.value, "low": interval.low, "high": interval.high},
        "auprc": float(np.mean([cell["auprc"]["value"] for cell in told])),
        "balanced_accuracy": float(np.mean([cell["balanced_accuracy"] for cell in told])),
        "ece": float(np.mean([cell["ece"] for cell in told])),
        "positives": int(np.sum(truths)),
        "judged": len(truths),
    }
    shared = {cell["seed"] for cell in random if "auroc" in cell} & {cell["seed"] for cell in told}
    if start != "random" and shared:
        ours, theirs = (
            _mean_ranks([cell for cell in group if cell["seed"] in shared]) for group in (told, random)
        )
        found = paired_auroc(ours, theirs, truths, patients)
        line["gain"] = {"value": found.value, "low": found.low, "high": found.high, "p": found.p}
    return line


def _mean_ranks(cells: Sequence[Cell]) -> Any:
    """The mean over draws of where each study stands, from 0 to 1: draws differ in how sure they are."""
    ranks = [np.argsort(np.argsort(cell["probabilities"], kind="stable")) for cell in cells]
    return np.mean(ranks, axis=0) / max(len(ranks[0]) - 1, 1)


def _heading(dataset: Dataset, groups: Iterable[Sequence[Cell]]) -> str:
    devices = sorted({cell["device"] for group in groups for cell in group if "device" in cell})
    return (
        f"**Synthetic data.** {dataset.card.title}; test studies of patients that nobody learnt from. "
        f"Research use only. Device: {', '.join(devices)}.\n\n"
        "AUROC: the mean over draws of labelled studies, then each draw; the interval and the gain over random first "
        "weights, of the draws that both have, are those of the mean rank over draws, patients resampled (BCa).\n\n"
    )


def _table(lines: Iterable[Line]) -> str:
    head = (
        "| disease | labels (studies) | first weights | AUROC | each draw | mean rank: AUROC (95 %) "
        "| gain over random (95 %) | AUPRC |\n"
    )
    return head + "|---" * 8 + "|\n" + "".join(map(_row, lines)) + "".join(map(_paper, PAPER))


def _row(line: Line) -> str:
    what = f"| {DISEASES[line['disease']]} | {line['labels']}"
    if not line["draws"]:
        return f"{what} | {line['start']} | one class alone in each draw | – | – | – | – |\n"
    gain = f"{line['gain']['value']:+.3f} ({_limits(line['gain'], '+')})" if "gain" in line else "–"
    each = ", ".join(f"{value:.3f}" for value in line["each"])
    return (
        f"{what} ({line['studies']}) | {line['start']} | {line['auroc']:.3f} | {each} | "
        f"{line['of_mean']['value']:.3f} ({_limits(line['of_mean'])}) | {gain} | {line['auprc']:.3f} |\n"
    )


def _limits(figure: Mapping[str, float], sign: str = "") -> str:
    return f"{figure['low']:{sign}.3f} to {figure['high']:{sign}.3f}"


def _paper(row: Sequence[str]) -> str:
    disease, labels, ours, other = row
    return f"| *paper, real data: {disease}* | {labels} | {ours}; {other} | – | – | – | – | – |\n"


def _plot(lines: Sequence[Line], path: Path) -> None:
    """AUROC by labelled studies, a line a start, a panel a disease."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, disease in zip(figure.subplots(1, 2, sharey=True), DISEASES, strict=True):
        for start in STARTS:
            own = [
                line
                for line in lines
                if (line["disease"], line["start"]) == (disease, start) and line["draws"]
            ]
            studies = [line["studies"] for line in own]
            axes.plot(studies, [line["auroc"] for line in own], "o-", color=COLOURS[start], label=start, ms=4)
            for line in own:
                axes.plot(
                    [line["studies"]] * line["draws"], line["each"], ".", color=COLOURS[start], alpha=0.4
                )
        axes.axhline(0.5, color="#a0aec0", linewidth=1, linestyle=(0, (4, 3)))
        amounts = sorted({line["studies"] for line in lines if line["disease"] == disease and line["draws"]})
        axes.set(xscale="log" if amounts else "linear", xlabel="labelled studies", title=DISEASES[disease])
        axes.set_xticks(amounts, [str(amount) for amount in amounts])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, title="first weights")
    figure.axes[0].set_ylabel("AUROC on test studies")
    figure.supxlabel("Synthetic data. Small dots: single draws of labels. Research use only.", fontsize=7)
    figure.savefig(path, dpi=110)
