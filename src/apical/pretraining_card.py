"""The card of a pretraining run: a job and its dataset come in, what `run.json` says goes out."""

from __future__ import annotations

import platform
from dataclasses import replace

import torch

from apical.dataset import Dataset
from apical.precision import resolve_precision
from apical.pretraining import Pretraining
from apical.run import Run, RunCard
from apical.version import VERSION

__all__ = ["card_of"]


def card_of(job: Pretraining, dataset: Dataset, command: str, former: Run | None) -> RunCard:
    """What can be said before the first step of this start; how the run was begun stays as it was said then."""
    data, device = dataset.card, job.fabric.device
    card = RunCard(
        stage="pretrain",
        method=job.config.method.name,
        command=command,
        data={
            "title": data.title,
            "source": data.source,
            "licence": data.licence,
            "citation": data.citation,
            "is_synthetic": data.is_synthetic,
            "content_sha256": data.content_sha256,
            "training_clips": len(job.cohorts.training),
            "training_patients": job.cohorts.training["patient"].n_unique(),
            "samples_per_epoch": job.feed.num_samples,
            "held_out_patients": job.cohorts.held_out["patient"].n_unique(),
        },
        licences=tuple(
            f"{what}: {terms}"
            for what, terms in [("data", data.licence), ("weights", job.start.licence)]
            if terms
        ),
        versions={"apical": VERSION, "torch": torch.__version__, "python": platform.python_version()},
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        processes=job.fabric.world_size,
        precision=resolve_precision(job.config.precision, device),
        remarks=job.remarks,
    )
    if former is None:
        return card
    begun = former.card
    return replace(
        card,
        command=begun.command,
        licences=begun.licences,
        steps=begun.steps,
        seconds=begun.seconds,
        best=begun.best,
    )
