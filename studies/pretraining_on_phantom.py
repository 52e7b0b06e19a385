"""Does pretraining learn anything? Every method on every backbone, on synthetic hearts, beside random weights.

For each cell of the grid: does the loss fall; do nearest neighbours of held-out patients tell phase, size of the
ventricle and ejection fraction better than with random features; and does a linear read-out of each cell of the map
find the left ventricle better. The hearts are synthetic and the nets small, so that it ends on a CPU: the figures say
that the parts work, not how well they do on patients. What is finished is kept: the same command goes on where it
stopped, and one that names some methods, backbones or seeds adds to the same tables.

    python studies/pretraining_on_phantom.py --out FOLDER [--data DATASET] [--size tiny|small]
        [--methods ...] [--backbones ...] [--seeds ...]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from apical.backbones.base import Backbone
from apical.dataset import Dataset
from apical.encoders import encoder_of
from apical.ingest import ingest
from apical.phantom.write import write_phantom
from apical.pretrain import pretrain
from apical.run import Run
from pretraining_probes import Traced, probe, probe_baselines, settled, traced
from pretraining_tables import write_tables

LAYOUT = "echonet_dynamic"
IMAGE = 64
EPOCHS = 10
"""Of so many steps that all of them together are the plan's."""
RANDOM_SEEDS = (0, 1, 2)
"""Random weights are drawn so often: the first are those that training starts from."""


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    patients: int
    batch: int
    steps: Mapping[str, int]
    """By backbone: the costlier ones take fewer."""
    backbones: Mapping[str, str]
    """Settings of each backbone."""
    methods: Mapping[str, Sequence[str]]
    """What differs from each method's own defaults."""
    few: int = 5
    many: int = 120
    draws: int = 3


BACKBONES = {
    # Pixels as they are, from 0 to 1: put to mean 0 and deviation 1, its random features tell less of a ventricle.
    "vit_small": "{name: vit_small, patch: 8, image_size: 64, dim: 96, depth: 4, heads: 3}",
    "unet_encoder": "{name: unet_encoder, width: 16}",
    "resnet18": "{name: resnet18, stride: 16}",
    "resnet50": "{name: resnet50, stride: 32}",
}
NEAR = "{scale: [0.8, 1.0], ratio: [0.9, 1.1], flip_probability: 0.0}"
"""Crops that keep where a heart lies and how large it is: what they change, features grow blind to."""
CHANGES = (
    "{depth_gain: {strength: 0.6, probability: 0.8}, contrast: {brightness: 0.4, contrast: 0.6, probability: 0.8},"
    " gamma: {probability: 0.8}, haze: {probability: 0.5}, shadow: {probability: 0.5}, speckle: {probability: 0.8},"
    " blur: {sigma: [0.1, 1.0], probability: 0.8}}"
)
"""Changes that hide machine and speckle, by which images could else be told apart without a heart."""
VIEW = f"size: {IMAGE}, crop: {NEAR}, augmentations: {CHANGES}"
PAIR = f"views={{pair: {{count: 2, {VIEW}}}}}"
METHODS: Mapping[str, Sequence[str]] = {
    # Frames of one heart are to be told apart as well: else nothing asks for the phase.
    "simclr": [PAIR, "method.masks_same_patient=false"],
    # The method's own crops: where views lie alike, a cell's place at the border of the view gives it away.
    "dense": [f"views.pair.size={IMAGE}"],
    # A quick student, and a quick teacher, soon hold little but the fan's outline.
    "byol": [PAIR, "method.hidden_features=512", "method.norm_output=true", "optimiser.lr=2.0e-4"],
    "dino": [
        f"views={{wide: {{count: 1, {VIEW}}}, other_wide: {{count: 1, {VIEW}}}}}",
        "method={name: dino, prototypes: 1024, hidden_features: 256, bottleneck_features: 64, norm_in_head: true}",
        "optimiser={name: adamw, lr: 1.0e-3, weight_decay: 0.04}",
    ],
}
TINY_STEPS = dict.fromkeys(BACKBONES, 10)
SMALL_STEPS = {"vit_small": 1000, "unet_encoder": 500, "resnet18": 300, "resnet50": 60}
PLANS = {
    "tiny": Plan(24, 16, TINY_STEPS, BACKBONES, METHODS, few=2, many=8, draws=2),
    "small": Plan(480, 64, SMALL_STEPS, BACKBONES, METHODS),
}


def main(arguments: list[str] | None = None) -> None:
    """Make the data, work through the cells that are not done, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=sorted(PLANS), default="small")
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=list(METHODS))
    parser.add_argument("--backbones", nargs="+", choices=sorted(BACKBONES), default=list(BACKBONES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--data", type=Path, help="a dataset to study; else phantom hearts are made")
    parser.add_argument("--out", type=Path, required=True, help="a folder for data, runs and results")
    wishes = parser.parse_args(arguments)
    plan = PLANS[wishes.size]
    study = Study(wishes.out, plan, Dataset.open(wishes.data) if wishes.data else _dataset(wishes.out, plan))
    study.baselines()
    for backbone in wishes.backbones:
        study.random_cells(backbone)
    for seed in wishes.seeds:
        for backbone in wishes.backbones:
            for method in wishes.methods:
                study.cell(method, backbone, seed)
                sys.stdout.write(write_tables(wishes.out, study.dataset, asdict(plan)))


class Study:
    """The cells of a grid, each in a file of its own."""

    def __init__(self, out: Path, plan: Plan, dataset: Dataset) -> None:
        self.out, self.plan, self.dataset = out, plan, dataset
        self.images: Traced = traced(self.dataset, IMAGE)

    def baselines(self) -> None:
        """What can be told without any net: by raw pixels, and by where a ventricle mostly is."""
        if not self._path("no net").is_file():
            figures = probe_baselines(self.images, self.plan)
            self._keep("no net", {"method": "no net", "backbone": "", **figures})

    def random_cells(self, backbone: str) -> None:
        """Random weights, as they are drawn and with settled batch norms, measured as trained ones are."""
        for seed in RANDOM_SEEDS:
            stem = f"random-{backbone}-{seed}"
            if self._path(stem).is_file():
                continue
            run = self._run("simclr", backbone, seed, stem, ["epochs=0", "epoch_steps=1"])
            about = {"backbone": backbone, "seed": seed}
            drawn = self._figures(run, encoder_of(run, "last"))
            calm = self._figures(run, settled(encoder_of(run, "last"), self.images))
            self._keep(f"settled-{stem}", {**about, "method": "random, settled", **calm})
            self._keep(stem, {**about, "method": "random", **drawn})

    def cell(self, method: str, backbone: str, seed: int) -> None:
        """A method on a backbone."""
        stem = f"{method}-{backbone}-{seed}"
        if self._path(stem).is_file():
            return
        run = self._run(method, backbone, seed, stem)
        figures = self._figures(run, encoder_of(run, "last"))
        self._keep(stem, {"method": method, "backbone": backbone, "seed": seed, **figures})

    def _run(self, method: str, backbone: str, seed: int, stem: str, further: Sequence[str] = ()) -> Run:
        """The run of this name, gone on with where it was interrupted."""
        plan = self.plan
        overrides = [
            f"backbone={plan.backbones[backbone]}",
            *plan.methods[method],
            f"batch_size={plan.batch}",
            f"epochs={EPOCHS}",
            f"epoch_steps={plan.steps[backbone] // EPOCHS}",
            f"seed={seed}",
            "schedule.warmup_epochs=1",
            f"evaluate_every={EPOCHS // 2}",
            "log_every=5",
            "sampling={name: frames, per_clip: 16}",
            *further,
        ]
        folder = self.out / "runs" / stem
        resume = (folder / "run.json").is_file()
        return pretrain(method, folder, data=self.dataset.folder, resume=resume, overrides=overrides)

    def _figures(self, run: Run, encoder: Backbone) -> dict[str, Any]:
        """What a run's own log and the probes say of it."""
        with torch.no_grad():
            probed = probe(encoder, self.images, self.plan)
        return {"steps": run.card.steps, "seconds": run.card.seconds, "log": run.metrics, **probed}

    def _path(self, stem: str) -> Path:
        return self.out / "cells" / f"{stem}.json"

    def _keep(self, stem: str, figures: Mapping[str, Any]) -> None:
        """Write as JSON, whole or not at all."""
        path = self._path(stem)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(figures) + "\n", encoding="utf-8")
        part.replace(path)


def _dataset(out: Path, plan: Plan) -> Dataset:
    """Synthetic patients, made once."""
    folder = out / "dataset"
    if not (folder / "dataset.json").is_file():
        write_phantom(LAYOUT, out / "phantom", patients=plan.patients)
        ingest(LAYOUT, out / "phantom", folder)
    return Dataset.open(folder)


if __name__ == "__main__":
    main()
