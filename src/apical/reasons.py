"""Why images got their masks: a model of parcels and images come in; what spoke for each mask goes out."""

from __future__ import annotations

import numpy as np
import polars as pl

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.evenly import evenly
from apical.examples import Watched
from apical.models import Model
from apical.pictures.parcels import Reason
from apical.tasks._mask_scores import cleaned
from apical.tasks.parcel_segmentation import ParcelSegmentation

__all__ = ["reasons_for"]

MOST = 8


def reasons_for(model: Model, dataset: Dataset, clips: pl.DataFrame, images: pl.DataFrame) -> list[Reason]:
    """Of up to eight of `images`, rows (row, clip, frame) of `clips`, evenly chosen."""
    task = model.task
    if not isinstance(task, ParcelSegmentation):
        raise ApicalError(
            "This run makes no masks of parcels",
            remedy="Name a run of 'apical finetune parcel_segmentation'.",
        )
    chosen = images[evenly(len(images), MOST)]
    device = next(model.network.parameters()).device
    watched = Watched.at(task, dataset, clips, chosen, model.size, device)
    pictures, answers = watched.at_places(np.arange(len(chosen)))
    scores = model.outputs(pictures).cpu()
    masks = task.head.masks(task.beliefs(scores)).numpy()
    if task.config.cleans:
        masks = np.array([[cleaned(mask) for mask in each] for each in masks])
    return [
        Reason(
            (pictures[place, 0].cpu().numpy() * 255).round().astype(np.uint8),
            scores[place].argmax(dim=0).numpy(),
            {name: task.segments.members.get(name, ()) for name in task.structures},
            dict(zip(task.structures, masks[place], strict=True)),
            dict(zip(task.structures, (answers[place] > 0.5).numpy(), strict=True)),
            f"{row['clip'][:18]}, frame {row['frame']}",
        )
        for place, row in enumerate(chosen.iter_rows(named=True))
    ]
