"""How few labelled studies does a diagnosis need? EchoCLR and its rivals on synthetic hearts, as Holste 2024 asks.

Encoders learn from unlabelled videos by SimCLR, multi-instance SimCLR and EchoCLR, or not at all; then severe aortic
stenosis and hypertrophy are learnt from a share of the studies, several times over, and judged on studies that nobody
has learnt from. The paper's figures stand beside ours, but theirs are of real hearts and a net ten times as large.

    python studies/diagnosis.py --out FOLDER [--size tiny|small] [--starts random simclr mi_simclr echoclr]
        [--labels 5% 10% 25% all] [--seeds 3] [--tables FOLDER]

Finished cells are kept: the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.evaluate import evaluate
from apical.finetune import finetune
from apical.ingest import ingest
from apical.phantom.write import write_phantom
from apical.pretrain import pretrain
from apical.run import Run
from apical.whole import whole_file
from diagnosis_tables import write_tables

LAYOUT, TASK = "echoclr_study", "diagnosis"
STARTS = ("random", "simclr", "mi_simclr", "echoclr")
DISEASES = ("as_severe", "lvh")
VIEWS = (
    "{count: 2, size: %d, place: {zoom: [0.9, 1.1], shift: 0.0714, rotation_degrees: 10.0, flip_probability: 0.5},"
    " augmentations: {contrast: {brightness: 0.3, contrast: 0.3, probability: 0.8}}}"
)


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    patients: int
    image: int
    widths: tuple[int, int, int, int]
    batch: int
    epochs: int
    """Of pretraining, of six steps each."""
    frames: int
    """Of a clip that is diagnosed; those that are contrasted have four."""
    teaching_epochs: int
    """Of fine-tuning, of up to eight steps each."""
    watched: int


PLANS = {
    "tiny": Plan(24, 32, (8, 8, 16, 16), 4, 1, 4, 1, 16),
    "small": Plan(500, 64, (32, 64, 128, 256), 48, 60, 8, 12, 150),
}


def main(arguments: list[str] | None = None) -> None:
    """Make what is missing, cell by cell, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="a folder for data, runs and cells")
    parser.add_argument("--tables", type=Path, help="a folder for the tables; --out unless given")
    parser.add_argument("--size", choices=sorted(PLANS), default="small")
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--diseases", nargs="+", choices=DISEASES, default=list(DISEASES))
    parser.add_argument("--labels", nargs="+", default=["5%", "10%", "25%", "all"])
    parser.add_argument("--seeds", type=int, default=3)
    wishes = parser.parse_args(arguments)
    study = Study(wishes.out, PLANS[wishes.size])
    for seed in range(wishes.seeds):
        for disease in wishes.diseases:
            for labels in wishes.labels:
                for start in wishes.starts:
                    study.cell(start, disease, labels, seed)
    sys.stdout.write(write_tables(study.cells(), study.dataset, wishes.tables or wishes.out))


class Study:
    """Data, runs and cells below one folder."""

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out, self.plan = out, plan
        folder = out / "data"
        if not (folder / "dataset.json").is_file():
            write_phantom(LAYOUT, out / "videos", patients=plan.patients, seed=11)
            ingest(LAYOUT, out / "videos", folder)
        self.dataset = Dataset.open(folder)
        (out / "cells").mkdir(exist_ok=True)

    def cells(self) -> Iterator[dict[str, Any]]:
        """Those that are finished."""
        for path in sorted((self.out / "cells").glob("*.json")):
            yield json.loads(path.read_text())

    def cell(self, start: str, disease: str, labels: str, seed: int) -> None:
        """Learn, judge, and keep how well; a draw of one class alone is kept as such."""
        name = f"{start}-{disease}-{labels}-{seed}".replace("%", "pc")
        path = self.out / "cells" / f"{name}.json"
        if path.is_file():
            return
        init = "random" if start == "random" else str(self.encoder(start).folder)
        what: dict[str, Any] = {"start": start, "disease": disease, "labels": labels, "seed": seed}
        try:
            what |= self._judged(init, disease, labels, seed, name)
        except ApicalError as error:
            if "the same answer" not in error.what:
                raise
            what["one_class"] = True
        with whole_file(path) as part:
            part.write_text(json.dumps(what) + "\n")

    def encoder(self, method: str) -> Run:
        """What a method makes of the unlabelled videos."""
        plan = self.plan
        sampling = "clips" if method == "simclr" else "study_pairs"
        overrides = [
            f"backbone={{name: tsm_resnet18, widths: {list(plan.widths)}}}",
            f"sampling={{name: {sampling}, frames: 4, stride: 4}}",
            "method.temperature=0.05",
            f"views.pair={VIEWS % plan.image}",
            "optimiser={name: adamw, lr: 0.001, weight_decay: 0.0001}",
            "schedule={shape: cosine, warmup_epochs: 5}",
            f"batch_size={plan.batch}",
            "epoch_steps=6",
            f"epochs={plan.epochs}",
            "evaluate_every=10",
            "monitor_images=64",
            "score=last",
            "frames_on=ram",
        ]
        folder = self.out / "runs" / method
        return pretrain(method, folder, data=self.dataset.folder, resume=True, overrides=overrides)

    def _judged(self, init: str, disease: str, labels: str, seed: int, name: str) -> dict[str, Any]:
        plan = self.plan
        run = finetune(
            TASK,
            self.out / "runs" / name,
            data=self.dataset.folder,
            init=init,
            labels=labels,
            seed=seed,
            resume=True,
            overrides=[
                f"backbone={{name: tsm_resnet18, widths: {list(plan.widths)}}}",
                f"task={{name: {TASK}, label: {disease}, frames: {plan.frames}, stride: 4, looks: 2}}",
                f"size={plan.image}",
                "optimiser.lr=0.0005",
                f"epochs={plan.teaching_epochs}",
                "epoch_steps=8",
                "patience=null",
                f"watched_images={plan.watched}",
                "frames_on=ram",
            ],
        )
        scores = evaluate(run.folder, self.dataset.folder, self.out / "scores" / name, split="test")
        summary, table = scores.card.summary, scores.table
        return {
            "studies": run.card.data["labelled_patients"],
            "auroc": summary["auroc"],
            "auprc": summary["auprc"],
            "classes": summary["classes"],
            "balanced_accuracy": summary["points"]["balanced"]["balanced_accuracy"]["value"],
            "ece": summary["ece"],
            "patients": table["patient"].to_list(),
            "probabilities": [round(each, 5) for each in table["probability"]],
            "truths": table["truth"].to_list(),
            "device": run.card.device,
            "seconds": run.card.seconds,
        }


if __name__ == "__main__":
    main()
