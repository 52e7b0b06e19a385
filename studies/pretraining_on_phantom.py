"""Does pretraining learn anything? Every method on every backbone, on synthetic hearts, beside random weights.

For each cell of the grid: does the loss fall, do nearest neighbours tell end-diastole from end-systole better than
with random features, and does a linear read-out of each cell of the map find the left ventricle better. The hearts are
synthetic and the nets small, so that it ends on a CPU: the figures say that the parts work, not how well they do on
patients. What is finished is kept: the same command goes on where it stopped, and one that names some methods or
backbones adds to the same tables.

    python studies/pretraining_on_phantom.py [--size tiny|small] [--methods ...] [--backbones ...] --out FOLDER
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
BATCH = 32
RANDOM_SEEDS = (0, 1, 2)
"""Random weights are drawn so often: the first are those that training starts from."""


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    patients: int
    steps: Mapping[str, int]
    """By backbone: the costlier ones take fewer."""
    backbones: Mapping[str, str]
    """Settings of each backbone."""
    few: int = 5
    many: int = 120
    draws: int = 3


BACKBONES = {
    "vit_small": "{name: vit_small, patch: 8, image_size: 64, dim: 96, depth: 4, heads: 3}",
    "unet_encoder": "{name: unet_encoder, width: 16}",
    "resnet18": "{name: resnet18, stride: 16}",
    "resnet50": "{name: resnet50, stride: 32}",
}
PLANS = {
    "tiny": Plan(24, dict.fromkeys(BACKBONES, 4), BACKBONES, few=2, many=8, draws=2),
    "small": Plan(320, {"vit_small": 200, "unet_encoder": 160, "resnet18": 48, "resnet50": 32}, BACKBONES),
}

PAIR = [f"views.pair.size={IMAGE}"]
METHODS: Mapping[str, Sequence[str]] = {
    "simclr": PAIR,
    # A teacher that keeps 0.996 of itself hardly moves in so few steps.
    "byol": [*PAIR, "method.teacher_momentum=0.97", "method.hidden_features=512"],
    "dense": PAIR,
    "dino": [
        f"views.wide.size={IMAGE}",
        f"views.other_wide.size={IMAGE}",
        f"views.local.size={IMAGE // 2}",
        "views.local.count=4",
        "method.prototypes=1024",
        "method.hidden_features=512",
        "method.teacher_momentum=0.98",
        "optimiser={name: adamw, lr: 1.0e-3, weight_decay: 0.04}",
    ],
}
"""What differs from the method's own defaults, since runs are so short."""


def main(arguments: list[str] | None = None) -> None:
    """Make the data, work through the cells that are not done, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=sorted(PLANS), default="small")
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=list(METHODS))
    parser.add_argument("--backbones", nargs="+", choices=sorted(BACKBONES), default=list(BACKBONES))
    parser.add_argument("--out", type=Path, required=True, help="a folder for data, runs and results")
    parser.add_argument(
        "--variant", metavar="NAME KEY=VALUE", nargs="+", help="further settings, under a name"
    )
    wishes = parser.parse_args(arguments)
    plan = PLANS[wishes.size]
    dataset = _dataset(wishes.out, plan)
    images = traced(dataset, IMAGE)
    _baselines(wishes.out, images, plan)
    name, extra = (wishes.variant[0], wishes.variant[1:]) if wishes.variant else (None, [])
    for backbone in wishes.backbones:
        _random_cells(wishes.out, dataset, images, plan, backbone)
        for method in wishes.methods:
            _cell(wishes.out, dataset, images, plan, (method, backbone), (name, extra))
            sys.stdout.write(write_tables(wishes.out, dataset, asdict(plan)))


def _dataset(out: Path, plan: Plan) -> Dataset:
    """Synthetic patients, made once."""
    folder = out / "dataset"
    if not (folder / "dataset.json").is_file():
        write_phantom(LAYOUT, out / "phantom", patients=plan.patients)
        ingest(LAYOUT, out / "phantom", folder)
    return Dataset.open(folder)


def _baselines(out: Path, images: Traced, plan: Plan) -> None:
    """What can be told without any net: by raw pixels, and by where a ventricle mostly is."""
    path = out / "cells" / "no net.json"
    if not path.is_file():
        _keep(path, {"method": "no net", "backbone": "", **probe_baselines(images, plan)})


def _random_cells(out: Path, dataset: Dataset, images: Traced, plan: Plan, backbone: str) -> None:
    """Random weights of a backbone, as they are drawn and with settled batch norms, measured as trained ones are."""
    for seed in RANDOM_SEEDS:
        path = out / "cells" / f"random-{backbone}-{seed}.json"
        if path.is_file():
            continue
        settings = [*_settings(plan, "simclr", backbone), "epochs=0", "epoch_steps=1", f"seed={seed}"]
        run = _run("simclr", out / "runs" / path.stem, dataset, settings)
        first = {"backbone": backbone, "seed": seed}
        drawn = _figures(run, encoder_of(run, "last"), images, plan)
        _keep(
            path.with_stem(f"settled-{path.stem}"),
            {
                **first,
                "method": "random, settled",
                **_figures(run, settled(encoder_of(run, "last"), images), images, plan),
            },
        )
        _keep(path, {**first, "method": "random", **drawn})


def _cell(
    out: Path,
    dataset: Dataset,
    images: Traced,
    plan: Plan,
    what: tuple[str, str],
    variant: tuple[str | None, Sequence[str]],
) -> None:
    """A method on a backbone."""
    (method, backbone), (name, extra) = what, variant
    stem = "-".join(filter(None, [method, backbone, name]))
    path = out / "cells" / f"{stem}.json"
    if path.is_file():
        return
    run = _run(method, out / "runs" / stem, dataset, [*_settings(plan, method, backbone), *extra])
    figures = _figures(run, encoder_of(run, "last"), images, plan)
    _keep(path, {"method": method, "backbone": backbone, "variant": name, "settings": extra, **figures})


def _settings(plan: Plan, method: str, backbone: str) -> list[str]:
    epochs = 4
    return [
        f"backbone={plan.backbones[backbone]}",
        *METHODS[method],
        f"batch_size={BATCH}",
        f"epochs={epochs}",
        f"epoch_steps={max(1, plan.steps[backbone] // epochs)}",
        "schedule.warmup_epochs=1",
        f"evaluate_every={epochs // 2}",
        "log_every=5",
        "monitor_images=512",
        "sampling={name: frames, per_clip: 8}",
    ]


def _run(method: str, folder: Path, dataset: Dataset, overrides: Sequence[str]) -> Run:
    """The run in `folder`, gone on with where it was interrupted."""
    resume = (folder / "run.json").is_file()
    return pretrain(method, folder, data=dataset.folder, resume=resume, overrides=overrides)


def _figures(run: Run, encoder: Backbone, images: Traced, plan: Plan) -> dict[str, Any]:
    """What a run's own log and the probes say of it."""
    with torch.no_grad():
        probed = probe(encoder, images, plan)
    return {"steps": run.card.steps, "seconds": run.card.seconds, "log": run.metrics, **probed}


def _keep(path: Path, figures: Mapping[str, Any]) -> None:
    """Write as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
