"""How many annotated patients does the left ventricle need? Starts, and amounts of labels, on real CAMUS patients.

Every cell learns from some patients of the official training list and is judged on all patients of the validation
list, which no cell learns from or is chosen by: the last weights are taken. What is finished is kept; the same command
goes on where it stopped, and one that names other starts, labels or draws adds to the same tables.

    python studies/camus_label_efficiency.py --camus FOLDER --out FOLDER [--size tiny|small]
        [--starts random phantom ...] [--labels 1 4 20 ...] [--draws 3]

CAMUS is for non-commercial research only: its images, and weights learnt from them, stay in --out. What is written to
--tables holds figures alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from apical.dataset import Dataset
from apical.evaluate import evaluate
from apical.finetune import finetune
from apical.ingest import ingest
from apical.phantom.write import write_phantom
from apical.pretrain import pretrain
from apical.run import Run
from apical.scores import Scores
from camus_tables import write_tables

TASK = "lv_segmentation"
ALL, NONE = "all", "0"
LABELS = (NONE, "20", "4", "1", ALL, "100", "8", "2", "40")
"""Annotated patients, in the order in which they are worked through."""
PHANTOM, OTHERS = "phantom", "phantom and unlabelled"
PRETRAININGS = ("simclr", "byol", "dino", "dense")
STARTS = ("random", PHANTOM, OTHERS, *PRETRAININGS)


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    image: int
    backbone: str
    epochs: int
    """Of a cell, each of 25 steps or, with more than 200 labelled patients, of all images."""
    phantom_patients: int
    phantom_epochs: int
    pretraining_steps: int
    pretraining_image: int


NARROW = "{name: resnet18, stride: 32, widths: [64, 96, 128, 192]}"
PLANS = {
    "tiny": Plan(32, NARROW, 1, 8, 1, 12, 32),
    "small": Plan(128, NARROW, 12, 60, 6, 300, 96),
}
VIEWS = {
    "simclr": ["views.pair.size={image}"],
    "byol": ["views.pair.size={image}", "method.teacher_momentum=0.99"],
    "dense": ["views.pair.size={image}"],
    "dino": [
        "views.wide.size={image}",
        "views.other_wide.size={image}",
        "views.local.size={half}",
        "views.local.count=4",
        "method.prototypes=4096",
        "method.hidden_features=512",
        "method.teacher_momentum=0.99",
    ],
}
"""What differs from the methods' own defaults, since runs are short."""


def main(arguments: list[str] | None = None) -> None:
    """Make what is missing, cell by cell, and write the tables after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--camus", type=Path, required=True, help="the CAMUS folder")
    parser.add_argument("--out", type=Path, required=True, help="a folder for data, runs and scores")
    parser.add_argument("--tables", type=Path, help="a folder for tables and the plot; --out unless given")
    parser.add_argument("--size", choices=sorted(PLANS), default="small")
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--labels", nargs="+", default=list(LABELS))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--prepare", action="store_true", help="stop when all starts are made")
    wishes = parser.parse_args(arguments)
    plan = PLANS[wishes.size]
    study = Study(wishes.out, plan, _camus(wishes.out, wishes.camus, plan))
    if wishes.prepare:
        for start in wishes.starts:
            study.first_weights(start)
        return
    for labels in wishes.labels:
        for draw in range(wishes.draws):
            for start in wishes.starts:
                study.cell(start, labels, draw)
                sys.stdout.write(write_tables(wishes.out, wishes.tables or wishes.out, study.about))


def _camus(out: Path, folder: Path, plan: Plan) -> Dataset:
    return _ingested(folder, out / "camus", plan.image)


def _ingested(source: Path, folder: Path, image: int) -> Dataset:
    if not (folder / "dataset.json").is_file():
        ingest("camus", source, folder, [f"height={image}", f"width={image}"])
    return Dataset.open(folder)


class Study:
    """Runs and scores below one folder."""

    def __init__(self, out: Path, plan: Plan, camus: Dataset) -> None:
        self.out, self.plan, self.camus = out, plan, camus

    @property
    def about(self) -> Mapping[str, Any]:
        """What the tables say of the data."""
        patients = self.camus.usable_clips.group_by("split").agg(pl.col("patient").n_unique())
        return {
            "data": self.camus.card.title,
            "licence": self.camus.card.licence,
            "citation": self.camus.card.citation,
            "patients": dict(patients.iter_rows()),
            "plan": vars(self.plan),
        }

    def cell(self, start: str, labels: str, draw: int) -> None:
        """Learn and judge, if that is not done."""
        name = f"{start.replace(' ', '-')}-{labels}-{draw}"
        path = self.out / "cells" / f"{name}.json"
        if path.is_file() or (labels == NONE and (start != PHANTOM or draw)):
            return  # without a label there is but one way, and nothing to draw
        run = self._phantom() if labels == NONE else self._taught(name, start, labels, draw)
        scores = evaluate(run.folder, self.camus.folder, self.out / "scores" / name, split="val")
        _keep(path, {"start": start, "labels": labels, "draw": draw, **figures_of(run, scores)})

    def _taught(self, name: str, start: str, labels: str, draw: int) -> Run:
        overrides = [f"epochs={self.plan.epochs}", f"evaluate_every={self.plan.epochs}"]
        if start == OTHERS:
            overrides += ["consistency={}", "average=null"]
        return finetune(
            TASK,
            self.out / "runs" / name,
            data=self.camus.folder,
            resume=True,
            labels=labels,
            seed=draw,
            network="unet_resnet",
            init=self.first_weights(start),
            overrides=[f"backbone={self.plan.backbone}", *overrides],
        )

    def first_weights(self, start: str) -> str:
        """Where a cell starts: made when it is first asked for."""
        if start == "random":
            return start
        if start in {PHANTOM, OTHERS}:
            return str(self._phantom().folder)
        return str(self._pretrained(start).folder)

    def _phantom(self) -> Run:
        """The same network, taught on synthetic hearts: no patient's label is in it."""
        source, folder = self.out / "phantom-source", self.out / "phantom"
        if not (folder / "dataset.json").is_file():
            write_phantom("camus", source, patients=self.plan.phantom_patients, seed=11)
        dataset = _ingested(source, folder, self.plan.image)
        overrides = [
            f"backbone={self.plan.backbone}",
            f"epochs={self.plan.phantom_epochs}",
            "evaluate_every=5",
        ]
        folder = self.out / "runs" / PHANTOM
        return finetune(
            TASK, folder, data=dataset.folder, resume=True, network="unet_resnet", overrides=overrides
        )

    def _pretrained(self, method: str) -> Run:
        """An encoder, from the training patients' images without their labels."""
        image = self.plan.pretraining_image
        sizes = {"image": image, "half": image // 2}
        epochs = 12
        settings = [
            f"backbone={self.plan.backbone}",
            *(word.format(**sizes) for word in VIEWS[method]),
            "batch_size=32",
            f"epochs={epochs}",
            f"epoch_steps={max(1, self.plan.pretraining_steps // epochs)}",
            "schedule.warmup_epochs=1",
            f"evaluate_every={epochs // 2}",
            "score=last",
        ]
        folder = self.out / "runs" / method
        return pretrain(method, folder, data=self.camus.folder, resume=True, overrides=settings)


def figures_of(run: Run, scores: Scores) -> dict[str, Any]:
    """What is kept of a cell: Dice of each image, in the order of the table, and the summary."""
    rows = scores.table.filter(pl.col("structure") == "lv").sort("clip", "frame")
    agreement: Mapping[str, Any] = scores.card.summary["agreement"]
    return {
        "steps": run.card.steps,
        "seconds": round(run.card.seconds),
        "device": run.card.device,
        "versions": dict(run.card.versions),
        "patients": _plain(rows["patient"]),
        "dice": [round(value, 5) for value in rows["dice"]],
        "hd95_mm": round(scores.card.summary["structures"]["lv"]["all"]["hd95"]["mean"], 3),
        "ef_mae": round(agreement["ef a4c, expert's masks"]["mean_absolute_error"], 3),
        "ef_bias": round(agreement["ef a4c, expert's masks"]["bias"], 3),
    }


def _plain(names: pl.Series) -> Sequence[int]:
    """A number for each name, so that tables hold no names."""
    ranks = names.rank("dense").cast(pl.Int64)
    return (ranks - 1).to_list()


def _keep(path: Path, figures: Mapping[str, Any]) -> None:
    """Write as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
