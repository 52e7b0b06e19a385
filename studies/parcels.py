"""A white box on hearts: frozen encoder, parcels, and which of them make the ventricle and the atrium.

Table 2 of Majchrowska 2023, with the paper's own figures beside ours: Dice of the left ventricle and the left atrium at
end-systole and end-diastole, in four-chamber views. With --camus, on real CAMUS patients: learnt from some patients of
the official training list, judged on those of the validation list. Without, on synthetic hearts.

Encoders: `dino`, a small transformer pretrained by DINO on the training patients' own images; `phantom`, the encoder of
a network taught on other synthetic hearts, of which the head looks at two maps. What is finished is kept; the same
command goes on where it stopped, and one that names other encoders, labels or draws adds to the same table.

    python studies/parcels.py --out FOLDER [--camus FOLDER] [--size tiny|small] [--tables FOLDER]
        [--encoders dino phantom] [--parcels 64 112] [--rules paper weights] [--labels 1 4 20 all] [--draws 3]

CAMUS is for non-commercial research only: its images, and weights learnt from them, stay in --out.
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

from apical.correspondences import correspondences_of
from apical.dataset import Dataset
from apical.encoders import encoder_of
from apical.evaluate import evaluate
from apical.finetune import finetune
from apical.ingest import ingest
from apical.phantom.write import write_phantom
from apical.pretrain import pretrain
from apical.run import Run
from apical.scores import Scores
from parcels_table import write_table

TASK = "parcel_segmentation"
ALL = "all"
DINO, PHANTOM = "dino", "phantom"
ENCODERS = (DINO, PHANTOM)
RULES = ("paper", "released", "votes", "weights")
LABELS = ("20", "4", "1", ALL)
SHIFTS_FOR = 32
"""Parcels of one size, for which the shifts are chosen from the tokens' correspondences."""
JUDGE_SEED, TEACH_SEED = 21, 11
"""Of the synthetic hearts: other ones are judged than those that the encoder `phantom` was taught on."""


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    image: int
    patients: int
    """Synthetic ones, where those are judged; as many others teach the encoder `phantom`."""
    transformer: str
    dino_steps: int
    network: str
    levels: tuple[int, ...]
    """Maps of the network's encoder that the head looks at."""
    taught_epochs: int
    raptor_epochs: int
    frames: int
    """Of a clip, every second one where there are so many."""


PLANS = {
    "tiny": Plan(
        32,
        8,
        "{name: vit_small, patch: 8, image_size: 32, dim: 24, depth: 1, heads: 3}",
        4,
        "{name: resnet18, stride: 16, widths: [8, 8, 16, 16]}",
        (1, 2),
        1,
        1,
        2,
    ),
    "small": Plan(
        128,
        60,
        "{name: vit_small, patch: 8, image_size: 128, dim: 192, depth: 6, heads: 3, drop_path: 0.1}",
        360,
        "{name: resnet18, stride: 32, widths: [64, 96, 128, 192]}",
        (2, 3),
        6,
        12,
        2,
    ),
}


def main(arguments: list[str] | None = None) -> None:
    """Make what is missing, cell by cell, and write the table after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--camus", type=Path, help="the CAMUS folder; synthetic hearts unless given")
    parser.add_argument("--out", type=Path, required=True, help="a folder for data, runs and scores")
    parser.add_argument("--tables", type=Path, help="a folder for the table; --out unless given")
    parser.add_argument("--size", choices=sorted(PLANS), default="small")
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--parcels", nargs="+", type=int, default=[64, 112])
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--labels", nargs="+", default=list(LABELS))
    parser.add_argument("--draws", type=int, default=3)
    wishes = parser.parse_args(arguments)
    study = Study(wishes.out, PLANS[wishes.size], wishes.camus)
    for encoder in wishes.encoders:
        for parcels in wishes.parcels:
            for labels in wishes.labels:
                for draw in range(1 if labels == ALL else wishes.draws):
                    for rule in wishes.rules:
                        study.cell(encoder, parcels, rule, labels, draw)
                sys.stdout.write(write_table(wishes.out, wishes.tables or wishes.out, study.about))


class Study:
    """Data, runs and scores below one folder."""

    def __init__(self, out: Path, plan: Plan, camus: Path | None) -> None:
        self.out, self.plan, self.is_real = out, plan, camus is not None
        self.dataset = self._ingested("data", camus or self._hearts("hearts", JUDGE_SEED))

    @property
    def split(self) -> str:
        """On whom is judged: CAMUS' test patients have no file here."""
        return "val" if self.is_real else "test"

    @property
    def about(self) -> Mapping[str, Any]:
        """What the table says of the data."""
        card = self.dataset.card
        return {
            "data": card.title,
            "licence": card.licence,
            "citation": card.citation,
            "is_synthetic": card.is_synthetic,
            "split": self.split,
            "image": self.plan.image,
        }

    def cell(self, encoder: str, parcels: int, rule: str, labels: str, draw: int) -> None:
        """Fit and judge, if that is not done."""
        name = f"{encoder}-{parcels}-{rule}-{labels}-{draw}"
        path = self.out / "cells" / f"{name}.json"
        if path.is_file():
            return
        cut = self._cut(encoder, parcels)
        run = finetune(
            TASK,
            self.out / "runs" / name,
            data=self.dataset.folder,
            resume=True,
            init=str(cut.folder),
            labels=labels,
            seed=draw,
            overrides=[f"task.rule={rule}", f"size={self.plan.image}"],
        )
        scores = evaluate(run.folder, self.dataset.folder, self.out / "scores" / name, split=self.split)
        keep(
            path,
            {
                "encoder": encoder,
                "parcels": parcels,
                "rule": rule,
                "labels": labels,
                "draw": draw,
                "alive": cut.card.best.get("val_alive"),
                "stability": cut.card.best.get("val_stability"),
                "device": run.card.device,
                **dice_of(scores),
            },
        )

    def _cut(self, encoder: str, parcels: int) -> Run:
        """RAPTOR on the training patients' frames, with shifts as the encoder's tokens suggest."""
        seen = self._encoder(encoder)
        levels = self.plan.levels if encoder == PHANTOM else None
        size = (self.plan.image, self.plan.image)
        training = self.dataset.usable_clips.filter(pl.col("split") == "train")
        found = correspondences_of(encoder_of(seen), self.dataset, training, size, levels)
        overrides = [
            f"method.head.parcels={parcels}",
            f"method.head.levels={'null' if levels is None else list(levels)}",
            *(f"method.{name}_shift={value:.3f}" for name, value in found.shifts(SHIFTS_FOR).items()),
            f"sampling.frames={self.plan.frames}",
            "batch_size=8",
            f"epochs={self.plan.raptor_epochs}",
            f"evaluate_every={self.plan.raptor_epochs}",
            "optimiser.lr=2.0e-3",
        ]
        folder = self.out / "runs" / f"{encoder}-{parcels}"
        data = self.dataset.folder
        return pretrain("raptor", folder, data=data, init=str(seen.folder), resume=True, overrides=overrides)

    def _encoder(self, encoder: str) -> Run:
        return self._dino() if encoder == DINO else self._taught()

    def _dino(self) -> Run:
        """A transformer that has seen no label."""
        image, steps = self.plan.image, self.plan.dino_steps
        overrides = [
            f"backbone={self.plan.transformer}",
            "method={name: dino, prototypes: 2048, hidden_features: 512, bottleneck_features: 128,"
            " norm_in_head: true, balance: sinkhorn, apart: 0.1, teacher_momentum: 0.95}",
            *(f"views.{wide}.size={image}" for wide in ("wide", "other_wide")),
            *(f"views.{group}.crop.flip_probability=0" for group in ("wide", "other_wide", "local")),
            f"views.local.size={image // 2}",
            "views.local.count=2",
            "optimiser.lr=1.0e-3",
            "optimiser.lr_per=null",
            "batch_size=16",
            "epochs=12",
            f"epoch_steps={max(1, steps // 12)}",
            "schedule.warmup_epochs=2",
            "evaluate_every=6",
            "sampling={name: frames, per_clip: 8}",
        ]
        return pretrain(
            "dino", self.out / "runs" / DINO, data=self.dataset.folder, resume=True, overrides=overrides
        )

    def _taught(self) -> Run:
        """A network taught on other synthetic hearts; only its encoder is used."""
        hearts = self._ingested("taught-data", self._hearts("taught-hearts", TEACH_SEED))
        overrides = [
            f"backbone={self.plan.network}",
            f"epochs={self.plan.taught_epochs}",
            "evaluate_every=5",
        ]
        return finetune(
            "lv_segmentation",
            self.out / "runs" / PHANTOM,
            data=hearts.folder,
            network="unet_resnet",
            resume=True,
            overrides=overrides,
        )

    def _hearts(self, name: str, seed: int) -> Path:
        folder, ingested = self.out / name, self.out / name.replace("hearts", "data") / "dataset.json"
        if not ingested.is_file():
            write_phantom("camus", folder, patients=self.plan.patients, seed=seed)
        return folder

    def _ingested(self, name: str, source: Path) -> Dataset:
        folder, image = self.out / name, self.plan.image
        if not (folder / "dataset.json").is_file():
            ingest("camus", source, folder, [f"height={image}", f"width={image}"])
        return Dataset.open(folder)


def dice_of(scores: Scores) -> dict[str, Any]:
    """By structure and phase, the Dice of each four-chamber image, in the order of the table."""
    rows = scores.table.filter(pl.col("echo_view") == "a4c").sort("patient", "clip", "frame")
    wanted: Sequence[tuple[str, str]] = [(name, phase) for name in ("lv", "la") for phase in ("es", "ed")]
    parts = {
        f"{name}_{phase}": rows.filter((pl.col("structure") == name) & (pl.col("phase") == phase))
        for name, phase in wanted
    }
    return {
        "dice": {key: [round(value, 4) for value in part["dice"]] for key, part in parts.items()},
        "patients": {key: _numbered(part["patient"]) for key, part in parts.items()},
    }


def _numbered(patients: pl.Series) -> list[int]:
    """Patients by number: the table needs to know which images are of one, not whose they are."""
    return (patients.rank("dense").cast(pl.Int64) - 1).to_list()


def keep(path: Path, figures: Mapping[str, Any]) -> None:
    """Write as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
