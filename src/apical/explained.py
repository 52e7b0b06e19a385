"""Explained studies: cases and a way to explain come in; frames, maps and what they lie on go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from apical.cases import Case, diagnosis_of
from apical.dataset import Dataset
from apical.explanations.base import Evidence, Saliency
from apical.frames import FrameStore
from apical.models import Model
from apical.tasks.diagnosis import Diagnosis

__all__ = ["Asked", "Explained", "asked_of", "explained"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """A clip as the network sees it, and what is asked about it."""

    case: Case
    frames: tuple[int, ...]
    """Their numbers in the video."""
    images: Tensor
    """(1, 1, T, H, W)"""
    evidence: Evidence
    sector: Tensor
    """(H, W): 1 within the ultrasound sector."""


@dataclass(frozen=True)
class Explained:
    """What an answer comes from, at the size that frames are stored at."""

    case: Case
    frames: tuple[int, ...]
    """Their numbers in the video."""
    pixels: npt.NDArray[np.uint8]
    """(T, H, W)"""
    maps: Floats
    """(T, H, W): from 0 to 1."""
    importance: Floats
    """(T,): from 0 to 1."""
    aspect: float
    """How much higher a pixel is than it is wide."""
    sector_share: float | None
    """Of the saliency; none where there is no saliency."""
    sector_area: float
    """Of the frame: the share that a map would have which is alike everywhere."""
    structure_shares: Mapping[str, float | None]
    """Of the saliency, by structure that is traced somewhere in the video."""

    @property
    def foremost(self) -> int:
        """The place of the most important frame."""
        return int(self.importance.argmax())


def asked_of(model: Model, dataset: Dataset, clips: pl.DataFrame, cases: Sequence[Case]) -> list[Asked]:
    """The clips of cases, ready to be looked at."""
    task, device = diagnosis_of(model), next(model.network.parameters()).device
    store = FrameStore.open(dataset, clips, "disk", device)
    return [_asked(case, task, dataset, store, model.size) for case in cases]


def _asked(case: Case, task: Diagnosis, dataset: Dataset, store: FrameStore, size: tuple[int, int]) -> Asked:
    assert task.look is not None
    row = np.array([case.row])
    frames = task.look.frames_at(np.array([case.frame]), store.num_frames[row])
    sector = torch.from_numpy(dataset.sector_mask(case.clip)).float()[None, None]
    return Asked(
        case=case,
        frames=tuple(frames[0].tolist()),
        images=store.plain_images(row, frames, size),
        evidence=partial(_log_odds, task, case.number),
        sector=functional.interpolate(sector, size)[0, 0].to(store.device),
    )


def _log_odds(task: Diagnosis, number: int, outputs: Tensor) -> Tensor:
    """(B,): of one class against all others."""
    logs = task.head.log_beliefs(outputs, len(outputs))
    others = [other for other in range(logs.shape[1]) if other != number]
    return logs[:, number] - logs[:, others].logsumexp(dim=1)


def explained(asked: Asked, saliency: Saliency, dataset: Dataset) -> Explained:
    """The saliency of one clip on its frames, and what it lies on."""
    about, clip = dataset.clip_row(asked.case.clip), asked.case.clip
    size = (about["height"], about["width"])
    large = functional.interpolate(saliency.maps, size, mode="bilinear")[0].cpu().double().numpy()
    sector, mean = dataset.sector_mask(clip), large.mean(axis=0)
    return Explained(
        case=asked.case,
        frames=asked.frames,
        pixels=np.asarray(dataset.clip_frames(clip)[list(asked.frames)]),
        maps=large,
        importance=saliency.frames[0].cpu().double().numpy(),
        aspect=(about["spacing_mm_y"] or 1.0) / (about["spacing_mm_x"] or 1.0),
        sector_share=_share(mean, sector),
        sector_area=float(sector.mean()),
        structure_shares=_structure_shares(mean, clip, dataset),
    )


def _structure_shares(mean: Floats, clip: str, dataset: Dataset) -> dict[str, float | None]:
    """The mean over all traces of a structure in the video, of the saliency of all frames together."""
    traces = dataset.traces.filter(pl.col("clip") == clip).partition_by("structure", as_dict=True)
    shares = {
        str(name): [_share(mean, dataset.trace_mask(row)) for row in rows.iter_rows(named=True)]
        for (name,), rows in traces.items()
    }
    return {
        name: float(np.mean([share for share in each if share is not None])) if None not in each else None
        for name, each in shares.items()
    }


def _share(values: Floats, mask: Mask) -> float | None:
    total = float(values.sum())
    return float(values[mask].sum()) / total if total > 0 else None
