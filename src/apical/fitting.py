"""A fitting: a task, a frozen encoder and a few labels come in; what was counted, and a finished run, go out.

Nothing is trained step by step, so there is nothing to resume: a fitting that was stopped is done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import polars as pl
import torch
from pydantic import BeforeValidator, Field, field_validator
from torch import Tensor

from apical import registry
from apical.backbones.base import BackboneConfig
from apical.checkpoint import write_tensors
from apical.cohorts import cohorts_of
from apical.config import dump_config, piece
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.examples import Watched, drawn_examples
from apical.finetuning import both_sides
from apical.labels import Amount, By, LabelDraw
from apical.launch import Placement, start
from apical.leakage import leakage_of_fitting
from apical.methods._parcel_head import ParcelHeadConfig
from apical.precision import Precision, autocast
from apical.progress import progress
from apical.run import Run
from apical.run_draft import RunDraft
from apical.sight import Sight, head_settings, sight_of
from apical.tasks.base import FittedTask, Seen, TaskConfig
from apical.training_run import run_card

__all__ = ["FitConfig", "Fitting", "fitted_run"]

NOBODY = LabelDraw(amount="none", by="patient", seed=0, patients=(), images=())


class FitConfig(Placement):
    """How a task is fitted."""

    data: str
    """The dataset folder."""
    task: Annotated[TaskConfig, *piece("tasks")]
    """What is learnt."""
    init: str
    """The run whose encoder, and head, it looks through."""
    backbone: Annotated[BackboneConfig, *piece("backbones")]
    """Its encoder, as that run has it."""
    head: ParcelHeadConfig | None = None
    """Its head, as that run has it; none where only vectors are looked at."""
    labels: Annotated[str, BeforeValidator(str)] = "all"
    """How many annotated patients are learnt from: all, a number such as 20, or a share such as 5%."""
    labels_by: By = "patient"
    """Whether patients are drawn, or single images as in Saeed 2022."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """The same seed gives the same draw of patients."""
    size: Annotated[tuple[int, int], BeforeValidator(both_sides)]
    """Height and width, or the one side, of the images that are worked on."""
    hold_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the patients to watch learning on, where the dataset has no validation split; 0 learns from all."""
    watched_images: int = Field(default=512, gt=0)
    """Most held-out images to watch it on."""
    precision: Annotated[Precision, BeforeValidator(str)] = "auto"
    """Arithmetic of the encoder."""
    batch_size: int = Field(default=16, gt=0)
    """Images at once."""

    @field_validator("labels")
    @classmethod
    def _readable(cls, labels: str) -> str:
        Amount.read(labels)
        return labels


def fitted_run(
    draft: RunDraft,
    config: FitConfig,
    dataset: Dataset,
    command: str,
    report: Callable[[Run, Fitting], object],
) -> Run:
    """Fit, report, and only then call the run finished."""
    began = time.monotonic()
    job = Fitting(config, dataset)
    card = run_card(
        job,
        config.precision,
        dataset,
        stage="finetune",
        method=config.task.name,
        command=command,
        counts=job.counts,
        weights_licence=job.licence,
        former=None,
    )
    draft.write(dump_config(config), card)
    job.labels.write(draft.folder)
    job.fit()
    job.task.save(draft.folder)
    weights = job.sight.state_dict()
    write_tensors(Run.weights_path(draft.folder, "best"), weights, {"step": 0, "epoch": 0})
    seconds = time.monotonic() - began
    card = replace(card, seconds=seconds, best=job.figures(), is_finished=True)
    run = Run(draft.folder, card)
    report(run, job)
    card.write(draft.folder / "run.json")
    return run


class Fitting:
    """A frozen encoder and the labels that it is shown."""

    def __init__(self, config: FitConfig, dataset: Dataset) -> None:
        self.config, self.fabric = config, start(config)
        if self.fabric.world_size > 1:
            raise ApicalError(f"Fitting {config.task.name} takes one device", remedy="Leave --devices out.")
        self.task: FittedTask = registry.load("tasks", config.task.name)(config.task)
        leaks = leakage_of_fitting(dataset, self.task.leakage)
        source = Run.open(Path(config.init))
        self.licence = "; ".join(dict.fromkeys(terms.partition(": ")[2] for terms in source.card.licences))
        self.sight: Sight = sight_of(source, parcels=self.task.needs_parcels).to(self.fabric.device)
        cohorts = cohorts_of(dataset, config.hold_out, may_overlap=self.task.leakage == "allowed")
        self.labels, self.learnt_from = NOBODY, None
        if self.task.needs_labels:
            self.labels, examples = drawn_examples(
                self.task, dataset, cohorts.training, config.labels, config.seed, config.labels_by
            )
            self.learnt_from = Watched.at(
                self.task, dataset, cohorts.training, examples, config.size, self.fabric.device
            )
        self.watched = Watched.of(
            self.task, dataset, cohorts.held_out, config.watched_images, config.size, self.fabric.device
        )
        self.remarks = (*self.task.remarks, *leaks)

    @property
    def counts(self) -> dict[str, int]:
        """What of the dataset is used, for the run's card."""
        return {
            "labelled_patients": len(self.labels.patients),
            "labelled_images": len(self.labels.images),
            "unlabelled_clips": 0,
            "held_out_patients": self.watched.num_patients,
        }

    def fit(self) -> None:
        """Show the task all labelled images once."""
        self.task.fit(self._lessons())

    def figures(self) -> Mapping[str, float]:
        """What the task makes of the images that are watched."""
        looks = [
            self.task.figures(self.task.beliefs(self._seen(images)), answers)
            for images, answers in self.watched.parts(self.config.batch_size)
        ]
        names = looks[0] if looks else ()
        return {f"val_{name}": float(torch.cat([look[name] for look in looks]).mean()) for name in names}

    def _lessons(self) -> Iterator[Seen]:
        examples, count = self.learnt_from, self.config.batch_size
        if examples is None:
            return
        with progress(f"Fitting {self.config.task.name}", len(examples), "images") as bar:
            for place, (images, answers) in enumerate(examples.parts(count)):
                rows: pl.DataFrame = examples.examples[place * count : place * count + len(images)]
                yield rows, self._seen(images), answers
                bar.advance(len(images))

    @torch.inference_mode()
    def _seen(self, images: Tensor) -> Tensor:
        with autocast(self.config.precision, self.fabric.device):
            seen: Tensor = self.sight(images)
        return seen.float().cpu()


def settings_of_start(init: str, *, parcels: bool) -> dict[str, object]:
    """The settings of the encoder that is looked through and, where parcels are looked at, of its head."""
    run = Run.open(Path(init))
    return {"backbone": run.config.get("backbone"), "head": head_settings(run) if parcels else None}
