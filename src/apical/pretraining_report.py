"""What a pretraining run leaves to look at: a run and its job come in; `pretraining.png` and a page go out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from apical.encoders import encoder_of
from apical.examination import Gallery
from apical.first_process import is_first_process
from apical.neighbours import nearest
from apical.pictures.pretraining import draw_pretraining
from apical.pictures.run_page import write_run_page
from apical.pretraining import Pretraining
from apical.run import Run, RunCard

__all__ = ["report_lines", "report_pretraining"]

QUERIES = 10
NEIGHBOURS = 5
MEANINGS = {
    "val_loss": "the method's loss on held-out patients",
    "val_purity": "pixels of held-out images that lie where most of their parcel lies",
    "val_alive": "parcels that are some token's first choice in held-out clips",
    "val_information": "what a token tells of its parcel: 0 when parcels have collapsed",
    "val_stability": "tokens that keep their parcel from one frame of a clip to the next",
    "knn_": "held-out images whose nearest neighbours name the class rightly",
    "chance_": "the share of the most frequent class, which guessing reaches",
    "rankme": "dimensions that the features really use",
    "feature_spread": "1 when features differ, 0 when all are alike",
    "alignment": "distance between two views of an image; lower is better",
    "uniformity": "how evenly images fill the space; lower is better",
}


def report_pretraining(run: Run, job: Pretraining) -> Path:
    """Draw curves and nearest neighbours, and write `index.html` around them; the page's path."""
    title = f"{run.card.method} on {run.card.data['title']}"
    picture = run.folder / "pretraining.png"
    is_synthetic = bool(run.card.data["is_synthetic"])
    draw_pretraining(run.metrics, *_neighbours(run, job), picture, title, is_synthetic)
    page = run.folder / "index.html"
    write_run_page(
        page,
        title=title,
        picture=picture,
        picture_says="Curves of training, and held-out frames with their nearest neighbours",
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
    card = run.card
    figures = ", ".join(f"{name} {value:.4g}" for name, value in card.best.items() if _meaning(name))
    kind = " (synthetic data)" if card.data["is_synthetic"] else ""
    return [
        f"Trained {card.method}{kind}: {card.steps} steps in {card.seconds:.0f} s on {card.device}.",
        f"Best checkpoint, of step {card.best.get('step', 0):.0f}: {figures}.",
        *(f"Note: {remark}." for remark in card.remarks),
        f"Terms: {'; '.join(card.licences)}.",
        card.notice,
        f"Look at {run.folder / 'index.html'}",
    ]


def _neighbours(
    run: Run, job: Pretraining
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Some queries (N, H, W), the most alike of the bank (N, k, H, W), and how alike they are (N, k)."""
    examination, device = job.examination, job.fabric.device
    encoder = encoder_of(run).to(device)
    queries = Gallery.of(examination.dataset, examination.queries.clips, QUERIES, device)
    bank = examination.vectors(encoder, examination.bank)
    indices, similarities = nearest(bank, examination.vectors(encoder, queries), NEIGHBOURS)
    asked = _pixels(queries, np.arange(len(indices)))
    found = _pixels(examination.bank, indices.flatten().numpy())
    return asked, found.reshape(*indices.shape, *found.shape[1:]), similarities.numpy()


def _pixels(gallery: Gallery, images: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Whole frames (N, H, W) as they are stored."""
    pixels = gallery.store.gather(gallery.rows[images, None], gallery.frames[images, None, None])
    array: npt.NDArray[np.uint8] = pixels[:, 0, 0].cpu().numpy()
    return array


def _facts(card: RunCard, job: Pretraining) -> list[tuple[str, str]]:
    data = card.data
    return [
        ("Data", f"{data['title']}: {data['training_clips']} clips of {data['training_patients']} patients"),
        ("Held out", f"{data['held_out_patients']} patients"),
        ("Terms", "; ".join(card.licences)),
        ("Backbone", f"{job.config.backbone.name}, from {job.config.init}"),
        (
            "Training",
            f"{card.steps} steps of {job.batch_size}, {card.seconds:.0f} s on {card.device}, {card.precision}",
        ),
        ("Repeat it", card.command),
    ]


def _meaning(name: str) -> str:
    return next((meaning for beginning, meaning in MEANINGS.items() if name.startswith(beginning)), "")
