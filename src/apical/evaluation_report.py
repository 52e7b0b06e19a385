"""What an evaluation leaves to look at: scores and pictures come in; a page and a terminal's lines go out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apical import registry
from apical.pictures.page import write_page
from apical.scores import Scores
from apical.tasks.base import Task

__all__ = ["report_evaluation", "report_lines"]


def report_evaluation(scores: Scores, task: Task, pictures: Mapping[str, str]) -> Path:
    """Write `index.html`, self-contained; its path."""
    card, page = scores.card, scores.folder / "index.html"
    write_page(
        page,
        "pictures.html",
        {name: scores.folder / name for name in pictures},
        title=f"{card.task} on {card.data['title']}, {card.data['split']}",
        words_are="Figures",
        facts_are="What was judged",
        lines=task.summary_lines(card.summary),
        captions=pictures,
        facts=_facts(scores),
        notes=card.remarks,
        notice=card.notice,
        is_synthetic=card.data["is_synthetic"],
    )
    return page


def report_lines(scores: Scores) -> list[str]:
    """What a terminal says at the end."""
    card, data = scores.card, scores.card.data
    kind = " (synthetic data)" if data["is_synthetic"] else ""
    task: type[Task] = registry.load("tasks", card.task)
    return [
        f"{card.run['name']} on {data['title']}{kind}, {data['split']}: "
        f"{data['images']} {data['unit']} of {data['patients']} patients.",
        *task.summary_lines(card.summary),
        *(f"Note: {remark}." for remark in card.remarks),
        f"Terms: {'; '.join(card.licences)}.",
        card.notice,
        f"Look at {scores.folder / 'index.html'}",
    ]


def _facts(scores: Scores) -> list[tuple[str, str]]:
    run, data = scores.card.run, scores.card.data
    return [
        ("Run", f"{run['name']}, {run['which']} weights of step {run['step']}"),
        ("Network", f"{run['network']} on {run['backbone']}, from {run['init']}"),
        (
            "Learnt from",
            f"{run['labelled_patients']} annotated patients (labels={run['labels']}, seed {run['seed']})",
        ),
        (
            "Judged on",
            f"{data['images']} {data['unit']} of {data['patients']} patients, split {data['split']}",
        ),
        ("Intervals", "95 %, patients resampled 10,000 times (BCa)"),
        ("Terms", "; ".join(scores.card.licences)),
        ("Cite", data["citation"]),
        ("Trained by", run["command"]),
    ]
