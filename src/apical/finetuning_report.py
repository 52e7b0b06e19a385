"""What a fine-tuning leaves to look at: a run and its job come in; `finetuning.png` and a page go out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from apical.examples import Watched
from apical.finetuning import Finetuning
from apical.first_process import is_first_process
from apical.models import model_of
from apical.pictures.run_page import write_run_page
from apical.pictures.run_sheet import Sheet, draw_run
from apical.run import Run, RunCard

__all__ = ["report_finetuning", "report_lines", "watched_sheet"]

SHOWN = 12
LOOKED_AT_ONCE = 16
NOTHING = Sheet("", 0.0, lambda _axes: None)
"""Where no image is watched."""
MEANINGS = {
    "val_loss": "the task's loss on held-out patients",
    "val_accuracy": "share of held-out images with the right answer",
    "val_auroc": "area under the ROC curve over held-out studies; 0.5 is chance, 1 is perfect",
    "val_auprc": "average precision over held-out studies; chance is the share that is diseased",
    "val_dice": "overlap with the expert's mask on held-out images, at the size worked on; 1 is perfect",
}


class WatchingJob(Protocol):
    """A job that has held-out images to show."""

    config: Any
    fabric: Any
    watched: Watched


def conclude(run: Run, job: Finetuning) -> None:
    """Let the task write down what held-out examples tell, where it does so at all."""
    if not job.task.judges_together or not len(job.watched):
        return
    model = model_of(run, device=job.fabric.device, precision=job.config.precision)
    looks = [
        (model.beliefs(images).cpu(), answers.cpu()) for images, answers in job.watched.parts(LOOKED_AT_ONCE)
    ]
    beliefs, answers = (torch.cat(each) for each in zip(*looks, strict=True))
    job.task.conclude(job.watched.examples, beliefs, answers, run.folder)


def report_finetuning(run: Run, job: Finetuning) -> Path:
    """Draw curves and held-out examples, and write `index.html` around them; the page's path."""
    conclude(run, job)
    title = f"{run.card.method} on {run.card.data['title']}"
    picture, page = run.folder / "finetuning.png", run.folder / "index.html"
    is_synthetic = bool(run.card.data["is_synthetic"])
    sheet = watched_sheet(run, job)
    draw_run(run.metrics, sheet, picture, title, is_synthetic)
    write_run_page(
        page,
        title=title,
        picture=picture,
        picture_says="Curves of training, and held-out images with what was found and what experts say",
        facts=_facts(run.card, job),
        figures=[
            (name, f"{value:.4g}", _meaning(name)) for name, value in run.card.best.items() if _meaning(name)
        ],
        notes=run.card.remarks,
        notice=run.card.notice,
        is_synthetic=is_synthetic,
    )
    return page


def report_lines(run: Run) -> list[str]:
    """What a terminal says at the end: nothing but in the first of several processes."""
    if not is_first_process():
        return []
    card, data = run.card, run.card.data
    figures = ", ".join(f"{name} {value:.4g}" for name, value in card.best.items() if _meaning(name))
    kind = " (synthetic data)" if data["is_synthetic"] else ""
    return [
        f"Learnt {card.method}{kind} from {data['labelled_images']} labelled images of "
        f"{data['labelled_patients']} patients: {_steps(card)}{card.seconds:.0f} s on {card.device}.",
        f"{_checkpoint(card)}{figures or 'nothing was watched'}.",
        *(f"Note: {remark}." for remark in card.remarks),
        f"Terms: {'; '.join(card.licences)}.",
        card.notice,
        f"Look at {run.folder / 'index.html'}",
    ]


def watched_sheet(run: Run, job: WatchingJob) -> Sheet:
    """Some held-out images, what the run's model believes of them, and the answers."""
    if not len(job.watched):
        return NOTHING
    images, answers = job.watched.some(SHOWN)
    model = model_of(run, device=job.fabric.device, precision=job.config.precision)
    stills = images[:, 0] if images.ndim == 4 else images[:, 0, images.shape[2] // 2]
    pixels = (stills.cpu().numpy() * 255).round().astype(np.uint8)
    return model.task.sheet(pixels, model.beliefs(images).cpu(), answers)


def _facts(card: RunCard, job: Finetuning) -> list[tuple[str, str]]:
    data, config = card.data, job.config
    others = f"{data['unlabelled_clips']} clips" if data["unlabelled_clips"] else "none"
    return [
        (
            "Learnt from",
            f"{data['title']}: {data['labelled_images']} labelled images of {data['labelled_patients']} patients "
            f"(labels={config.labels}, seed {config.seed}); unlabelled: {others}",
        ),
        ("Held out", f"{data['held_out_patients']} patients"),
        ("Terms", "; ".join(card.licences)),
        (
            "Network",
            f"{config.network.name} on {config.backbone.name}, from {config.init}{_tensors_taken(job)}",
        ),
        (
            "Training",
            f"{card.steps} steps of {job.batch_size}, {card.seconds:.0f} s on {card.device}, {card.precision}",
        ),
        ("Repeat it", card.command),
    ]


def _tensors_taken(job: Finetuning) -> str:
    """Known where this start has read them: a resumed run has its own weights already."""
    return f" ({job.start.num_tensors} tensors taken)" if job.start.num_tensors else ""


def _steps(card: RunCard) -> str:
    """A fitting takes none."""
    return f"{card.steps} steps in " if card.steps else ""


def _checkpoint(card: RunCard) -> str:
    return f"Best checkpoint, of step {card.best.get('step', 0):.0f}: " if card.steps else "Held out: "


def _meaning(name: str) -> str:
    return next((meaning for beginning, meaning in MEANINGS.items() if name.startswith(beginning)), "")
