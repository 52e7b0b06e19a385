"""What tests of methods share: a net that costs nothing, and batches of noise for the views that a method asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from apical.backbones.base import Backbone, BackboneConfig, Features
from apical.batch import Batch
from apical.moment import Moment

FIRST = Moment(step=0, steps_per_epoch=4, epochs=4)
SIZE = 32


class Tiny(Backbone):
    """Two convolutions with batch norm, for images, or for clips where `axes` is 3."""

    num_features = 8
    stride = 4

    def __init__(self, axes: int = 2) -> None:
        super().__init__(BackboneConfig(name="tiny"))
        self.takes_clips = axes == 3
        convolution, norm = (nn.Conv2d, nn.BatchNorm2d) if axes == 2 else (nn.Conv3d, nn.BatchNorm3d)
        self.net = nn.Sequential(
            convolution(1, 8, 3, stride=2, padding=1, bias=False),
            norm(8),
            nn.ReLU(),
            convolution(8, 8, 3, stride=2, padding=1, bias=False),
            norm(8),
            nn.ReLU(),
        )

    def features(self, images: Tensor) -> Features:
        maps = self.net(images)
        return Features(maps.flatten(2).mean(dim=2), maps)


def noise(
    views: Mapping[str, Any],
    samples: int = 8,
    patients: int = 6,
    seed: int = 1,
    frames: int | None = None,
) -> Batch:
    """A batch for views with these settings; each view is a noisy copy of its sample, as in life.

    With `frames`, of clips: of each sample, frames that differ.
    """
    random = torch.Generator().manual_seed(seed)
    pictures = torch.rand(samples, 1, SIZE, SIZE, generator=random)

    def view(size: int) -> Tensor:
        picture = nn.functional.interpolate(pictures, size)
        if frames is not None:
            moving = torch.linspace(0.5, 1, frames).view(1, 1, -1, 1, 1)
            picture = picture[:, :, None] * moving
        return (picture + torch.rand(picture.shape, generator=random)) / 2

    def warp() -> Tensor:
        scale, shift = torch.rand(2, generator=random).tolist()
        half = 0.5 + scale / 2
        row = torch.tensor([[half, 0.0, (1 - half) * shift], [0.0, half, 0.0]])
        return row.expand(samples, 2, 3)

    sizes = {group: [settings["size"] or SIZE] * settings["count"] for group, settings in views.items()}
    return Batch(
        views={group: [view(size) for size in sizes[group]] for group in views},
        warps={group: [warp() for _ in sizes[group]] for group in views},
        patients=torch.arange(samples) % patients,
        studies=torch.arange(samples),
        clips=torch.arange(samples),
        frames=torch.zeros(samples, dtype=torch.int64),
    )


def part_of(batch: Batch, part: int, parts: int) -> Batch:
    """One of equal parts of a batch."""
    size = len(batch) // parts
    rows = slice(part * size, (part + 1) * size)
    return Batch(
        views={group: [view[rows] for view in views] for group, views in batch.views.items()},
        warps={group: [warp[rows] for warp in warps] for group, warps in batch.warps.items()},
        patients=batch.patients[rows],
        studies=batch.studies[rows],
        clips=batch.clips[rows],
        frames=batch.frames[rows],
    )
