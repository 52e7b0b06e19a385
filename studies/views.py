"""Which view is it? Frozen encoders and neighbours on synthetic stills laid out as TMED-2, by patient.

Table 3 of Majchrowska 2023, with the paper's own figures beside ours: accuracy by view and over all. The paper's are of
TMED-2 in a split by image, in which every test study has images in the training part as well; ours are synthetic, and
no patient stands on both sides. So the two say nothing about each other; they stand in one layout.

    python studies/views.py --out FOLDER [--size tiny|small] [--encoders random simclr dino] [--labels 5% 25% all]
        [--tables FOLDER]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apical.dataset import Dataset
from apical.evaluate import evaluate
from apical.finetune import finetune
from apical.ingest import ingest
from apical.phantom.write import write_phantom
from apical.pretrain import pretrain
from apical.run import Run
from apical.scores import Scores, readable

LAYOUT, TASK = "tmed2", "echo_view"
ENCODERS = ("random", "simclr", "dino")
WAYS: Mapping[str, Sequence[str]] = {
    "2 neighbours": ["task.k=2"],
    "10 neighbours": ["task.k=10"],
    "20 neighbours": ["task.k=20"],
    "linear probe": ["task.rule=linear"],
    "prototypes": ["task.rule=prototypes"],
}
VIEWS = ("a2c", "a4c", "plax", "psax")
PAPER = (
    ("DINO ViT-S/4, EchoNet-Dynamic", "2 neighbours", (91.02, 89.14, 95.01, 80.81, 90.78)),
    ("DINO ViT-S/4, EchoNet-Dynamic", "10 neighbours", (87.43, 87.33, 95.01, 79.07, 89.53)),
    ("DINO ViT-S/8, ImageNet", "2 neighbours", (79.04, 87.78, 97.09, 80.81, 89.53)),
    ("DINO ViT-S/8, ImageNet", "10 neighbours", (77.25, 89.14, 98.34, 81.98, 90.30)),
)
"""Majchrowska 2023, Table 3: 9,368 training and 1,041 test images, split by image."""


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    patients: int
    image: int
    steps: int
    convolutional: str
    transformer: str


PLANS = {
    "tiny": Plan(
        8,
        32,
        4,
        "{name: resnet18, stride: 16, widths: [8, 8, 16, 16]}",
        "{name: vit_small, patch: 8, image_size: 32, dim: 24, depth: 1, heads: 3}",
    ),
    "small": Plan(
        300,
        64,
        250,
        "{name: resnet18, stride: 16, widths: [64, 96, 128, 192]}",
        "{name: vit_small, patch: 8, image_size: 64, dim: 192, depth: 4, heads: 3}",
    ),
}


def main(arguments: list[str] | None = None) -> None:
    """Make what is missing, cell by cell, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="a folder for data, runs and scores")
    parser.add_argument("--tables", type=Path, help="a folder for the table; --out unless given")
    parser.add_argument("--size", choices=sorted(PLANS), default="small")
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--labels", nargs="+", default=["5%", "25%", "all"])
    wishes = parser.parse_args(arguments)
    study = Study(wishes.out, PLANS[wishes.size])
    cells = [
        study.cell(encoder, way, labels)
        for encoder in wishes.encoders
        for labels in wishes.labels
        for way in WAYS
    ]
    folder = wishes.tables or wishes.out
    folder.mkdir(parents=True, exist_ok=True)
    table = heading(study.dataset) + table_of(cells)
    (folder / "views.table.md").write_text(table)
    (folder / "views.json").write_text(json.dumps(cells, indent=1) + "\n")
    sys.stdout.write(table)


class Study:
    """Data, runs and scores below one folder."""

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out, self.plan = out, plan
        folder = out / "data"
        if not (folder / "dataset.json").is_file():
            write_phantom(LAYOUT, out / "stills", patients=plan.patients, seed=31)
            ingest(LAYOUT, out / "stills", folder)
        self.dataset = Dataset.open(folder)

    def cell(self, encoder: str, way: str, labels: str) -> dict[str, Any]:
        """Fit, judge, and say how well."""
        name = f"{encoder}-{way}-{labels}".replace(" ", "-").replace("%", "pc")
        run = finetune(
            TASK,
            self.out / "runs" / name,
            data=self.dataset.folder,
            init=str(self._encoder(encoder).folder),
            labels=labels,
            resume=True,
            overrides=[f"size={self.plan.image}", *WAYS[way]],
        )
        scores = self._scores(run, name)
        summary = scores.card.summary
        return {
            "encoder": encoder,
            "way": way,
            "labels": labels,
            "labelled_patients": run.card.data["labelled_patients"],
            "images": summary["images"],
            "patients": summary["patients"],
            "device": run.card.device,
            **{name: summary[name] for name in ("views", "accuracy", "balanced_accuracy", "answered")},
            "accuracy_of_answered": summary["accuracy_of_answered"],
        }

    def _scores(self, run: Run, name: str) -> Scores:
        folder = self.out / "scores" / name
        if (folder / "summary.json").is_file():
            return Scores.open(folder)
        return evaluate(run.folder, self.dataset.folder, folder, split="test")

    def _encoder(self, encoder: str) -> Run:
        method = "dino" if encoder == "dino" else "simclr"
        overrides = self._transformer() if encoder == "dino" else self._convolutional()
        if encoder == "random":
            overrides = [*overrides, "epochs=0", "epoch_steps=1"]
        folder = self.out / "runs" / encoder
        return pretrain(method, folder, data=self.dataset.folder, resume=True, overrides=overrides)

    def _convolutional(self) -> list[str]:
        return [
            f"backbone={self.plan.convolutional}",
            f"views.pair.size={self.plan.image}",
            "views.pair.crop.flip_probability=0",
            *self._length(),
        ]

    def _transformer(self) -> list[str]:
        image = self.plan.image
        return [
            f"backbone={self.plan.transformer}",
            "method={name: dino, prototypes: 1024, hidden_features: 256, bottleneck_features: 64,"
            " norm_in_head: true, balance: sinkhorn, apart: 0.1, teacher_momentum: 0.95}",
            *(f"views.{wide}.size={image}" for wide in ("wide", "other_wide")),
            *(f"views.{group}.crop.flip_probability=0" for group in ("wide", "other_wide", "local")),
            f"views.local.size={image // 2}",
            "views.local.count=2",
            "optimiser.lr=1.0e-3",
            "optimiser.lr_per=null",
            *self._length(),
        ]

    def _length(self) -> list[str]:
        """As many steps as planned, in epochs of as many as there are stills for."""
        batch = 64 if self.plan.steps > 100 else 4
        training = self.dataset.usable_clips.filter(self.dataset.usable_clips["split"] == "train")
        steps = max(1, min(50, int(training["num_frames"].sum()) * 8 // 10 // batch))
        return [
            f"batch_size={batch}",
            f"epoch_steps={steps}",
            f"epochs={-(-self.plan.steps // steps)}",
            "schedule.warmup_epochs=1",
            "evaluate_every=4",
            "sampling={name: frames, per_clip: 1}",
            "score=last",
        ]


def heading(dataset: Dataset) -> str:
    """What the table is of."""
    return (
        f"**Synthetic data.** {dataset.card.title}, test split by patient. Research use only.\n\n"
        "Accuracy in per cent when every image is answered; then the share that is answered when the model may say "
        '"can\'t tell", and how many of those rightly.\n\n'
    )


def table_of(cells: Sequence[Mapping[str, Any]]) -> str:
    """Rows of ours, then the paper's."""
    head = "| encoder | way | labels | A2C | A4C | PLAX | PSAX | Total | balanced | answered | rightly |\n"
    return head + "|---" * 11 + "|\n" + "".join(map(_row, cells)) + "".join(_paper(*row) for row in PAPER)


def _row(cell: Mapping[str, Any]) -> str:
    views = [_per_cent(cell["views"].get(view)) for view in VIEWS]
    total = f"{_per_cent(cell['accuracy'])} [{_bounds(cell['accuracy'])}]"
    rest = [_per_cent(cell[name]) for name in ("balanced_accuracy", "answered", "accuracy_of_answered")]
    what = [cell["encoder"], cell["way"], f"{cell['labels']} ({cell['labelled_patients']} patients)"]
    return f"| {' | '.join([*what, *views, total, *rest])} |\n"


def _per_cent(figure: Mapping[str, float] | None) -> str:
    return "–" if figure is None else readable(_times_100(figure["value"]), ".1f")


def _bounds(figure: Mapping[str, float]) -> str:
    return " to ".join(readable(_times_100(figure[name]), ".0f") for name in ("low", "high"))


def _times_100(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _paper(encoder: str, way: str, figures: Sequence[float]) -> str:
    cells = " | ".join(f"{figure:.2f}" for figure in figures)
    return f"| *paper, by image: {encoder}* | {way} | all | {cells} | – | – | – |\n"


if __name__ == "__main__":
    main()
