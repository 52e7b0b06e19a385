"""Augmented views: frames as stored come in; views by group and their warps, drawn first and made after, go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count as counting
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from apical import registry
from apical.augmentations._crop import CropConfig, draw_crops
from apical.augmentations._place import PlaceConfig, draw_places
from apical.augmentations._resampling import Resampling
from apical.augmentations.base import Augmentation, AugmentationConfig, Draw
from apical.config import Config, pieces

__all__ = ["CropConfig", "PlaceConfig", "ViewConfig", "ViewDraw", "Views"]

CACHE_BYTES = 1_600_000
"""Views are made in parts of about this size on a CPU, so that all steps of one find it in the cache."""


class ViewConfig(Config):
    """One group of views that are made alike."""

    count: int = Field(default=2, ge=1)
    """How many views of each sample there are."""
    size: int | None = Field(default=None, ge=1, le=4096)
    """Height and width of a view in pixels; null takes those of the stored frames."""
    crop: CropConfig = CropConfig()
    """Which part of the frame a view shows."""
    place: PlaceConfig | None = None
    """How the frame is moved, turned and stretched instead of being cropped; null crops it."""
    augmentations: Annotated[dict[str, AugmentationConfig], *pieces("augmentations")] = Field(
        default_factory=dict
    )
    """What is done to it then, in this order."""


@dataclass(frozen=True)
class _OneDraw:
    """The draw of one view, for all samples."""

    crop: Draw
    augmentations: Mapping[str, Draw]

    def part(self, samples: slice) -> _OneDraw:
        augmentations = {name: _part(draw, samples) for name, draw in self.augmentations.items()}
        return _OneDraw(_part(self.crop, samples), augmentations)


@dataclass(frozen=True)
class ViewDraw:
    """All that is random about the views of a batch. A part of it is the draw of those samples."""

    views: Mapping[str, Sequence[_OneDraw]]

    def part(self, samples: slice) -> ViewDraw:
        """The draw of these samples alone."""
        return ViewDraw(
            {group: [draw.part(samples) for draw in draws] for group, draws in self.views.items()}
        )


def _part(draw: Draw, samples: slice) -> Draw:
    return {name: values[samples] for name, values in draw.items()}


class Views:
    """Makes views of frames of one size. The same draw gives the same views, bit for bit, whatever the batch."""

    def __init__(self, config: Mapping[str, ViewConfig], height: int, width: int) -> None:
        self.config, self.height, self.width = config, height, width
        self._pieces: dict[str, dict[str, Augmentation]] = {
            group: {
                name: registry.load("augmentations", name)(settings)
                for name, settings in view.augmentations.items()
            }
            for group, view in config.items()
        }

    @property
    def wants_sectors(self) -> bool:
        """Whether any crop looks at where the ultrasound sector is."""
        cropped = (view.crop for view in self.config.values() if view.place is None)
        return any(crop.sector_aware is not None for crop in cropped)

    def draw(self, random: np.random.Generator, count: int, sectors: Tensor | None = None) -> ViewDraw:
        """All parameters for `count` samples; `sectors` (B, S, S) is how much of each place the sector covers."""
        return ViewDraw(
            {
                group: [self._draw_one(group, random, count, sectors) for _ in range(view.count)]
                for group, view in self.config.items()
            }
        )

    def apply(
        self, sources: Tensor, draw: ViewDraw
    ) -> tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]:
        """Views and warps by group, as in a batch, of sources (B, V, T, H, W), uint8; view i shows source i % V."""
        numbers = counting()
        views: dict[str, list[Tensor]] = {group: [] for group in self.config}
        warps: dict[str, list[Tensor]] = {group: [] for group in self.config}
        for group in self.config:
            for one in draw.views[group]:
                frames = sources[:, next(numbers) % sources.shape[1]]
                made = self._apply_one(group, frames, one)
                views[group].append(made if made.shape[1] == 1 else made[:, None])
                warps[group].append(one.crop["warps"].to(sources.device))
        return views, warps

    def _draw_one(
        self, group: str, random: np.random.Generator, count: int, sectors: Tensor | None
    ) -> _OneDraw:
        config = self.config[group]
        if config.place is None:
            crop = draw_crops(config.crop, random, count, self.height, self.width, sectors)
        else:
            crop = draw_places(config.place, random, count, self.height, self.width)
        return _OneDraw(
            crop, {name: piece.draw(random, count) for name, piece in self._pieces[group].items()}
        )

    def _apply_one(self, group: str, frames: Tensor, draw: _OneDraw) -> Tensor:
        """One view (B, T, h, w) of frames (B, T, H, W)."""
        config = self.config[group]
        size = config.size or (self.height, self.width)
        height, width = (size, size) if isinstance(size, int) else size
        interpolation = (config.place or config.crop).interpolation
        resampling = Resampling(draw.crop, height, width, interpolation, frames.device)
        views = _empty((*frames.shape[:2], height, width), frames.device)
        step = max(CACHE_BYTES // views[0].nbytes, 1) if views.device.type == "cpu" else len(views)
        for start in range(0, len(views), step):
            samples = slice(start, start + step)
            images = resampling.views(frames[samples], samples)
            for name, piece in self._pieces[group].items():
                images = piece.apply(images, _part(draw.augmentations[name], samples))
            views[samples] = images
        return views


def _empty(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Room for float32; on a CPU from numpy, which asks for large pages: half the time of a view was small ones."""
    if device.type == "cpu":
        return torch.from_numpy(np.empty(shape, np.float32))
    return torch.empty(shape, device=device)
