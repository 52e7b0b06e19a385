"""How alike tokens are: an encoder and a dataset come in; what RAPTOR's shifts should be goes out.

Two tokens attract each other's parcels where their features are more alike than the shift. If N parcels of one size are
wanted, one pair in N should: the shift is the value that one pair in N exceeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.dataset import Dataset
from apical.evenly import evenly
from apical.frames import FrameStore
from apical.methods._parcel_head import ParcelHead, ParcelHeadConfig
from apical.precision import Precision, autocast
from apical.sampling.clips import clip_frames

__all__ = ["Correspondences", "correspondences_of"]

CLIPS, FRAMES, STRIDE = 24, 4, 2
MOST_PAIRS = 200_000
"""That are kept of each kind."""


@dataclass(frozen=True)
class Correspondences:
    """How alike pairs of tokens are, less the mean over those that a token is compared with."""

    pairs: Mapping[str, npt.NDArray[np.float32]]
    """By kind: self, clip and other, as RAPTOR's terms are called."""

    def shifts(self, parcels: int) -> dict[str, float]:
        """By kind, what one pair in `parcels` exceeds."""
        return {name: float(np.quantile(values, 1 - 1 / parcels)) for name, values in self.pairs.items()}


def correspondences_of(
    backbone: Backbone,
    dataset: Dataset,
    clips: pl.DataFrame,
    size: tuple[int, int],
    levels: tuple[int, ...] | None = None,
    precision: Precision = "auto",
) -> Correspondences:
    """Of some of these clips, evenly chosen; `levels` are the head's."""
    head = ParcelHead(backbone, ParcelHeadConfig(levels=levels))
    rows = evenly(len(clips), CLIPS)
    lengths = clips["num_frames"].to_numpy().astype(np.int64)[rows]
    frames = clip_frames(lengths, FRAMES, STRIDE, np.zeros(len(rows)))
    store = FrameStore.open(dataset, clips, "disk", backbone.input_mean.device)
    tokens = torch.stack(
        [
            _tokens(head, backbone, store, int(row), own, size, precision)
            for row, own in zip(rows, frames, strict=True)
        ]
    )
    others = tokens.roll(1, dims=0)
    kinds = {
        "self": (tokens[:, 0], tokens[:, 0]),
        "clip": (tokens[:, 0], tokens[:, -1]),
        "other": (tokens[:, 0], others[:, 0]),
    }
    return Correspondences({name: _pairs(*pair) for name, pair in kinds.items()})


@torch.inference_mode()
def _tokens(
    head: ParcelHead,
    backbone: Backbone,
    store: FrameStore,
    row: int,
    frames: npt.NDArray[np.int64],
    size: tuple[int, int],
    precision: Precision,
) -> Tensor:
    """(T, N, D), of length 1."""
    images = store.plain_images(np.full(len(frames), row), frames, size)
    with autocast(precision, images.device):
        maps = head.seen(backbone, images)
    return functional.normalize(maps.float().flatten(2).mT, dim=-1).cpu()


def _pairs(one: Tensor, two: Tensor) -> npt.NDArray[np.float32]:
    alike = one @ two.mT
    values = (alike - alike.mean(dim=-1, keepdim=True)).flatten().numpy()
    chosen = np.random.default_rng(0).permutation(len(values))[:MOST_PAIRS]
    return np.asarray(values[chosen], np.float32)
