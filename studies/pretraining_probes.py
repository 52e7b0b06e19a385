"""What frozen features tell of patients that training never saw: an encoder comes in, figures go out.

By 20 nearest neighbours among the training patients' traced frames, as the monitor of a run does it: the phase, and in
which third the ventricle's area lies, which needs no other frame to be right. By neighbours of how a patient's two
frames differ: the third of the ejection fraction. Ventricle: a ridge regression from each cell of the last map to the
pixels that the cell covers, learnt from the traces of some patients, scored by Dice on all held-out patients. Its
strength and the cut between ventricle and rest are chosen on the labelled patients alone, half by half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.dataset import Dataset
from apical.frames import FrameStore
from apical.neighbours import class_scores

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths, as shares of the features' largest squared singular value."""
CUTS = (0.2, 0.3, 0.4, 0.5)
"""From which value on a pixel counts as ventricle."""
AT_ONCE = 64


class Labels(Protocol):
    """How many patients' labels are used, and how often they are drawn."""

    @property
    def few(self) -> int:
        """Patients."""

    @property
    def many(self) -> int:
        """Patients."""

    @property
    def draws(self) -> int:
        """Times."""


@dataclass(frozen=True)
class Traced:
    """The traced frames of a dataset."""

    images: Tensor
    """(N, 1, H, W)"""
    masks: Tensor
    """(N, H, W), bool: the left ventricle."""
    phases: Tensor
    """(N,): 0 is end-diastole, 1 end-systole."""
    areas: Tensor
    """(N,): the third, by the training patients' frames, in which the share of pixels lies that is ventricle."""
    ejections: Tensor
    """(N,): the third in which the patient's ejection fraction lies."""
    patients: npt.NDArray[np.str_]
    """(N,)"""
    is_held_out: Tensor
    """(N,), bool: of the splits val and test, which no weights are learnt from."""


def traced(dataset: Dataset, size: int) -> Traced:
    """All traced frames, scaled to `size` pixels."""
    clips = dataset.usable_clips.with_row_index("row")
    kept = clips.select("clip", "row", "patient", "split", "ef_percent")
    traces = dataset.traces.filter(pl.col("structure") == "lv").join(kept, on="clip")
    store = FrameStore.open(dataset, dataset.usable_clips, "disk")
    rows, frames = (traces[name].to_numpy().astype(np.int64) for name in ("row", "frame"))
    masks = np.stack([dataset.trace_mask(trace) for trace in traces.iter_rows(named=True)])
    shares = functional.interpolate(torch.from_numpy(masks).float()[:, None], (size, size), mode="area")
    is_held_out = torch.tensor([split in {"val", "test"} for split in traces["split"]])
    return Traced(
        images=store.plain_images(rows, frames, size),
        masks=shares[:, 0] >= 0.5,
        phases=torch.tensor([int(phase == "es") for phase in traces["phase"]]),
        areas=thirds(torch.from_numpy(masks).double().mean((1, 2)), is_held_out),
        ejections=thirds(traces["ef_percent"].cast(pl.Float64).to_torch(), is_held_out),
        patients=traces["patient"].to_numpy().astype(np.str_),
        is_held_out=is_held_out,
    )


def thirds(values: Tensor, is_held_out: Tensor) -> Tensor:
    """The third (N,) in which each of the values lies; they are cut by those that are not held out."""
    cuts = torch.quantile(values[~is_held_out], torch.tensor([1 / 3, 2 / 3], dtype=values.dtype))
    return torch.bucketize(values, cuts)


@torch.no_grad()
def settled(encoder: Backbone, traced: Traced) -> Backbone:
    """The encoder with its batch norms' statistics taken from the training patients, as training would leave them.

    Without them the features of random weights are all but constant in some nets: too easy to beat.
    """
    for part in encoder.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the plain mean over batches
            part.reset_running_stats()
    encoder.train()
    for images in torch.split(traced.images[~traced.is_held_out], AT_ONCE):
        encoder(images)
    return encoder.eval()


def probe(encoder: Backbone, traced: Traced, labels: Labels) -> dict[str, Any]:
    """Which held-out frames' classes are told, and the Dice of each by number of labelled patients and draw."""
    parts = [encoder(part) for part in torch.split(traced.images, AT_ONCE)]
    maps = torch.cat([part.map for part in parts])
    truth = traced.masks[traced.is_held_out]
    return {
        **told(torch.cat([part.vector for part in parts]), traced),
        "dice": {
            str(count): [
                dice_of(read_out(maps, traced, chosen), truth) for chosen in draws(traced, count, labels)
            ]
            for count in (labels.few, labels.many)
        },
    }


def probe_baselines(traced: Traced, labels: Labels) -> dict[str, Any]:
    """The same by raw pixels, and by the mean mask of the labelled patients."""
    truth = traced.masks[traced.is_held_out]

    def mean_mask(chosen: Tensor) -> Tensor:
        return (traced.masks[chosen].float().mean(0) > 0.5).expand(int(traced.is_held_out.sum()), -1, -1)

    return {
        **told(traced.images.flatten(1), traced),
        "dice": {
            str(count): [dice_of(mean_mask(chosen), truth) for chosen in draws(traced, count, labels)]
            for count in (labels.few, labels.many)
        },
    }


def told(vectors: Tensor, traced: Traced) -> dict[str, Any]:
    """Whose the held-out frames are, and which of each frame's classes the neighbours of its vector tell."""
    return {
        "patients": traced.patients[traced.is_held_out.numpy()].tolist(),
        "phase": hits(vectors, traced.phases, traced.is_held_out),
        "area": hits(vectors, traced.areas, traced.is_held_out),
        "ejection": hits(differences(vectors, traced), traced.ejections, traced.is_held_out),
    }


def hits(vectors: Tensor, classes: Tensor, is_held_out: Tensor) -> list[int]:
    """1 for each held-out frame whose class its neighbours tell."""
    scores = class_scores(
        vectors[~is_held_out], classes[~is_held_out], vectors[is_held_out], int(classes.max()) + 1
    )
    right: list[int] = (scores.argmax(dim=1) == classes[is_held_out]).int().tolist()
    return right


def differences(vectors: Tensor, traced: Traced) -> Tensor:
    """(N, D): the direction at end-diastole less that at end-systole of each frame's patient; 0 if one is missing.

    The training frames' mean is taken away first: it is all that some nets' directions are made of.
    """
    apart = functional.normalize(vectors - vectors[~traced.is_held_out].mean(0), dim=1)
    _, of_frame = np.unique(traced.patients, return_inverse=True)
    same = torch.from_numpy(of_frame[:, None] == of_frame[None]).float()
    means = []
    for phase in (0, 1):
        weights = same * (traced.phases == phase)
        means.append(weights @ apart / weights.sum(1, keepdim=True).clamp(min=1))
    has_both = torch.stack([(same * (traced.phases == phase)).sum(1) > 0 for phase in (0, 1)]).all(0)
    return (means[0] - means[1]) * has_both[:, None]


def draws(traced: Traced, count: int, labels: Labels) -> list[Tensor]:
    """So many training patients' frames, several times: the same for every encoder, few within many."""
    names = np.unique(traced.patients[~traced.is_held_out.numpy()])
    orders = [np.random.default_rng(seed).permutation(names) for seed in range(labels.draws)]
    return [torch.from_numpy(np.flatnonzero(np.isin(traced.patients, order[:count]))) for order in orders]


def read_out(maps: Tensor, traced: Traced, chosen: Tensor) -> Tensor:
    """Masks (N, H, W) of the held-out frames, by a ridge learnt from the frames `chosen`."""
    names = traced.patients[chosen.numpy()]
    is_first = torch.from_numpy(np.isin(names, np.unique(names)[::2]))
    scores = np.zeros((len(RIDGES), len(CUTS)))
    for learnt, asked in ((chosen[is_first], chosen[~is_first]), (chosen[~is_first], chosen[is_first])):
        truth = traced.masks[asked]
        for row, guess in enumerate(_guesses(maps, traced, learnt, asked)):
            scores[row] += [np.sum(dice_of(guess > cut, truth)) for cut in CUTS]
    ridge, cut = np.unravel_index(scores.argmax(), scores.shape)
    held_out = traced.is_held_out.nonzero()[:, 0]
    return _guesses(maps, traced, chosen, held_out)[ridge] > CUTS[cut]


def _guesses(maps: Tensor, traced: Traced, learnt: Tensor, asked: Tensor) -> list[Tensor]:
    """How likely each pixel (N, H, W) of the frames `asked` is ventricle, by each strength."""
    side = traced.masks.shape[1] // maps.shape[2]
    targets = functional.pixel_unshuffle(traced.masks[learnt, None].double(), side)
    found = ridges(maps[learnt], targets, maps[asked])
    return [functional.pixel_shuffle(guess, side)[:, 0] for guess in found]


def ridges(maps: Tensor, targets: Tensor, others: Tensor) -> Sequence[Tensor]:
    """What each strength foretells of maps `others` (M, D, h, w): (M, K, h, w), from maps and targets (N, K, h, w)."""
    features, wanted = _cells(maps), _cells(targets)
    centre, scale, mean = features.mean(0), features.std(0) + 1e-6, wanted.mean(0)
    left, values, right = torch.linalg.svd((features - centre) / scale, full_matrices=False)
    turned = left.T @ (wanted - mean)
    asked = ((_cells(others) - centre) / scale) @ right.T
    shape = (len(others), *others.shape[2:], targets.shape[1])
    gains = [values / (values.square() + ridge * values[0].square()) for ridge in RIDGES]
    return [(asked @ (gain[:, None] * turned) + mean).reshape(shape).permute(0, 3, 1, 2) for gain in gains]


def _cells(maps: Tensor) -> Tensor:
    """(N h w, D) of maps (N, D, h, w)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2).double()


def dice_of(found: Tensor, truth: Tensor) -> list[float]:
    """The Dice of each of the masks (N, H, W)."""
    shared = (found & truth).sum((1, 2))
    scores: list[float] = (2 * shared / (found.sum((1, 2)) + truth.sum((1, 2))).clamp(min=1)).tolist()
    return scores
