"""Parcel-to-segment (Majchrowska 2023): a white box that says which parcels of a frozen encoder make which structure.

Nothing is trained: labelled images are counted once, and what comes of it is a list, or a short table, that people can
read and edit (`segments.yaml`). Or a person names the parcels and no label is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.segments import BACKGROUND, Look, Segments
from apical.tasks._mask_heads import Exclusive
from apical.tasks._mask_task import LV, STRUCTURES, MaskTask, MaskTaskConfig
from apical.tasks._outline import OutlineConfig, outlined
from apical.tasks._parcel_evidence import Counts
from apical.tasks._parcel_weights import Samples, counted, image_points, looked, regressed
from apical.tasks.base import FittedTask, Seen

__all__ = ["ParcelSegmentation", "ParcelSegmentationConfig"]

LABELS = "labels"
RELEASED, VOTES, WEIGHTS = "released", "votes", "weights"
WEIGHING = (VOTES, WEIGHTS)


class ParcelSegmentationConfig(MaskTaskConfig):
    """Settings of the segmentation by parcels."""

    name: Literal["parcel_segmentation"] = "parcel_segmentation"
    rule: Literal["paper", "released", "votes", "weights"] = "weights"
    """How parcels are chosen: the paper's three shares, those of its released code, or votes or weights for all."""
    segments: str = LABELS
    """Where it stands which parcels make what: labels, or a file that 'apical parcels' wrote and a person filled in."""
    overlap: float = Field(default=0.75, gt=0, le=1)
    """For the paper's rule: the share of its area that a parcel must have in a structure."""
    holds: float = Field(default=0.5, ge=0, le=1)
    """In how many of the images that show the parcel that must be so."""
    presence: float = Field(default=0.3, ge=0, le=1)
    """In how many of all images it must be seen."""
    outline: OutlineConfig = OutlineConfig()
    """How chosen parcels become a mask; votes and weights need none of it."""
    softness: float = Field(default=4.0, gt=0)
    """For votes and weights: what scores are divided by, so that a pixel has shares of several parcels."""
    places: bool = True
    """For weights: join five numbers a structure for where in the image it lies."""
    looks_again: bool = True
    """For weights: look a second time, with five numbers more for where beside the ventricle that was found."""
    pixels: int = Field(default=1024, gt=0)
    """For votes and weights: pixels of each labelled image that are looked at, at random."""


class ParcelSegmentation(MaskTask, FittedTask):
    """Masks from scores of parcels."""

    Config = ParcelSegmentationConfig
    needs_parcels: ClassVar[bool] = True
    config: ParcelSegmentationConfig
    segments: Segments

    def __init__(self, config: ParcelSegmentationConfig) -> None:
        super().__init__(config)
        self.head = Exclusive(len(self.structures))

    @classmethod
    def settled(cls, config: MaskTaskConfig, dataset: Dataset) -> MaskTaskConfig:
        """Where a person has named the parcels, nothing needs to be traced."""
        assert isinstance(config, ParcelSegmentationConfig)
        if config.segments == LABELS or LV in set(dataset.traces["structure"]):
            return super().settled(config, dataset)
        wanted: Collection[str] = config.structures or Segments.read(Path(config.segments)).members
        if LV not in wanted:
            raise ApicalError(
                "The left ventricle must be one of the structures",
                where=config.segments,
                remedy="Name its parcels in the file: structures: {lv: {parcels: [3, 17]}}.",
            )
        return config.model_copy(update={"structures": tuple(name for name in STRUCTURES if name in wanted)})

    @property
    def needs_labels(self) -> bool:
        """Not where a person has named the parcels."""
        return self.config.segments == LABELS

    def fit(self, lessons: Iterable[Seen]) -> None:
        """Count, or read what a person says."""
        if not self.needs_labels:
            self.segments = self._read(Path(self.config.segments))
            return
        rule, config = self.config.rule, self.config
        counts: Counts | None = None
        samples = Samples(self.structures, config.pixels)
        for _, scores, answers in lessons:
            counts = counts or Counts(self.structures, scores.shape[1], config.overlap, rule == RELEASED)
            for parcels, masks in zip(scores.argmax(dim=1).numpy(), (answers > 0.5).numpy(), strict=True):
                counts.add(parcels, masks)
            if rule in WEIGHING:
                samples.add(self._shares(scores), answers)
        assert counts is not None, "there are examples"
        self.segments = self._weighed(counts, samples) if rule in WEIGHING else self._listed(counts)

    def _listed(self, counts: Counts) -> Segments:
        rule, holds, presence = self.config.rule, self.config.holds, self.config.presence
        choose = counts.members_as_released if rule == RELEASED else counts.members
        members = {name: choose(place, holds, presence) for place, name in enumerate(self.structures)}
        return self._segments(counts, members, ())

    def _weighed(self, counts: Counts, samples: Samples) -> Segments:
        """The list says, for readers, where most of each parcel lies."""
        if self.config.rule == VOTES:
            looks: tuple[Look, ...] = (counted(samples),)
        else:
            looks = regressed(samples, places=self.config.places, again=self.config.looks_again)
        owners = counts.owners()
        members = {
            name: tuple(np.flatnonzero(owners == place).tolist())
            for place, name in enumerate(self.structures)
        }
        return self._segments(counts, members, looks)

    def _segments(
        self, counts: Counts, members: dict[str, tuple[int, ...]], looks: tuple[Look, ...]
    ) -> Segments:
        evidence = {name: counts.evidence(place) for place, name in enumerate(self.structures)}
        return Segments(
            counts.num_parcels, self.config.rule, members, looks, evidence=evidence, images=counts.images
        )

    def beliefs(self, outputs: Tensor) -> Tensor:
        """Masks as 0 and 1 where parcels are listed, probabilities where they are weighed: (B, S, H, W)."""
        self._refuse_other_count(outputs.shape[1])
        if self.segments.looks:
            names, points = (BACKGROUND, *self.structures), image_points(self._shares(outputs))
            believed = looked(self.segments.looks, points, names, votes=self.segments.rule == VOTES)
            return believed[..., 1:].mT.reshape(len(outputs), -1, *outputs.shape[2:])
        maps = outputs.argmax(dim=1).cpu().numpy()
        masks = [
            [outlined(parcels, self.segments.members[name], self.config.outline) for name in self.structures]
            for parcels in maps
        ]
        shape = len(maps), len(self.structures), *maps.shape[1:]
        return torch.from_numpy(np.asarray(masks, np.float32).reshape(shape))

    def _shares(self, scores: Tensor) -> Tensor:
        return (scores / self.config.softness).softmax(dim=1)

    def save(self, folder: Path) -> None:
        """As a file that people can read."""
        self.segments.write(Segments.path(folder))

    def load(self, folder: Path) -> None:
        """As it stands in the file now."""
        self.segments = self._read(Segments.path(folder))

    def report(self) -> list[str]:
        """Which parcels make what."""
        segments = self.segments
        lines = [
            f"{name}: {_in_words(segments.members[name])}"
            for name in self.structures
            if name in segments.members
        ]
        whose = "named by a person" if segments.rule == "named" else f"by the rule '{segments.rule}'"
        return [*lines, f"{segments.num_parameters} numbers decide what is what, {whose}"]

    def _read(self, path: Path) -> Segments:
        """Segments that say something of every structure, by a rule that there is."""
        segments = Segments.read(path)
        said = [set(look) for look in segments.looks] or [{BACKGROUND, *segments.members}]
        missing = [name for name in (BACKGROUND, *self.structures) for each in said if name not in each]
        if missing or (segments.looks and segments.rule not in WEIGHING):
            raise ApicalError(
                f"The segments say nothing of {missing[0]}"
                if missing
                else "The segments weigh parcels by no rule",
                where=str(path),
                seen=f"structures {', '.join(segments.members)}; rule {segments.rule}",
                remedy="Name its parcels in the file, or set task.structures to what the file has.",
            )
        return segments

    def _refuse_other_count(self, count: int) -> None:
        if count != self.segments.num_parcels:
            raise ApicalError(
                f"The segments are of {self.segments.num_parcels} parcels, but the encoder makes {count}",
                remedy="Take the segments that were made with this encoder's run.",
            )


def _in_words(parcels: tuple[int, ...]) -> str:
    return f"parcels {', '.join(map(str, parcels))}" if parcels else "no parcel"
