"""Crop, flip and rotation in one resampling, against torchvision's one after the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as oracle

from apical.augmentations._crop import CropConfig, draw_crops
from apical.augmentations._resampling import Interpolation, Resampling
from apical.augmentations.base import Draw

CPU = torch.device("cpu")
MODES: dict[str, InterpolationMode] = {
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
}


def frames(count: int, frames: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, frames, height, width), dtype=torch.uint8, generator=generator)


def views(given: Tensor, crops: Draw, height: int, width: int, interpolation: Interpolation) -> Tensor:
    return Resampling(crops, height, width, interpolation, CPU).views(given, slice(0, len(given)))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(64, 56), (20, 33), (7, 5), (1, 1)])
def test_a_straight_view_is_torchvisions_resized_crop_and_flip(
    interpolation: Interpolation, size: tuple[int, int]
) -> None:
    given = frames(30, 2, 50, 44)
    crops = draw_crops(CropConfig(scale=(0.02, 1.0)), np.random.default_rng(1), 30, 50, 44)
    made = views(given, crops, *size, interpolation)
    for image, box, flip, view in zip(given, crops["boxes"].tolist(), crops["flips"], made, strict=True):
        wanted = oracle.resized_crop(
            image.double() / 255, *box, list(size), MODES[interpolation], antialias=True
        )
        wanted = oracle.hflip(wanted) if flip else wanted
        torch.testing.assert_close(view.double(), wanted.clamp(0, 1), atol=1e-6, rtol=0)


def test_the_whole_frame_at_its_own_size_is_the_frame() -> None:
    given = frames(3, 1, 20, 30)
    config = CropConfig(scale=(1.0, 1.0), ratio=(1.5, 1.5), flip_probability=0)
    crops = draw_crops(config, np.random.default_rng(0), 3, 20, 30)
    torch.testing.assert_close(views(given, crops, 20, 30, "bilinear"), given / 255, atol=1e-7, rtol=0)


def test_a_turn_of_the_whole_frame_is_torchvisions() -> None:
    given = frames(6, 2, 40, 40)
    config = CropConfig(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip_probability=0, rotation_degrees=40)
    crops = draw_crops(config, np.random.default_rng(0), 6, 40, 40)
    made = views(given, crops, 40, 40, "bilinear")
    for image, warp, view in zip(given, crops["warps"].double(), made, strict=True):
        degrees = float(torch.rad2deg(torch.atan2(warp[1, 0], warp[0, 0])))
        wanted = oracle.rotate(image.float() / 255, degrees, MODES["bilinear"])
        torch.testing.assert_close(view, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_a_view_shows_what_lies_where_its_warp_says(interpolation: Interpolation, degrees: float) -> None:
    """Frames whose grey is the place itself, so that a view says where each of its pixels was."""
    height, width, size = 100, 120, 24
    y = torch.arange(height)[:, None].expand(height, width) * 2
    x = torch.arange(width).expand(height, width) * 2
    given = torch.stack([x, y]).to(torch.uint8).expand(20, -1, -1, -1)
    config = CropConfig(scale=(0.1, 0.4), rotation_degrees=degrees)
    crops = draw_crops(config, np.random.default_rng(0), 20, height, width)
    made = views(given, crops, size, size, interpolation).flatten(2)
    ticks = (torch.arange(size) * 2 + 1) / size - 1
    places = torch.stack([*torch.meshgrid(ticks, ticks, indexing="xy"), torch.ones(size, size)]).flatten(1)
    said = (crops["warps"] @ places + 1) / 2 * torch.tensor([width, height])[:, None] - 0.5
    shown = made * 255 / 2
    is_inner = ((said > 3) & (said < torch.tensor([width, height])[:, None] - 4)).all(dim=1)
    # A straight view is not mixed with what lies beyond its box.
    is_inner &= (places[:2].abs() < 0.7).all(dim=0)
    assert is_inner.double().mean() > 0.3
    difference = (shown - said).abs().amax(dim=1)[is_inner]
    assert difference.max() < 0.1


def test_straight_and_turned_views_of_one_draw_are_what_they_are_alone() -> None:
    given = frames(12, 1, 40, 40)
    config = CropConfig(rotation_degrees=20, rotation_probability=0.5)
    crops = draw_crops(config, np.random.default_rng(0), 12, 40, 40)
    assert 0 < crops["turned"].sum() < 12
    made = views(given, crops, 24, 24, "bilinear")
    for index in range(12):
        alone = {name: values[index : index + 1] for name, values in crops.items()}
        assert torch.equal(views(given[index : index + 1], alone, 24, 24, "bilinear")[0], made[index])


def test_what_lies_outside_the_frame_is_black() -> None:
    config = CropConfig(scale=(1.0, 1.0), ratio=(1.0, 1.0), rotation_degrees=45)
    crops = draw_crops(config, np.random.default_rng(3), 8, 40, 40)
    made = views(torch.full((8, 1, 40, 40), 255, dtype=torch.uint8), crops, 40, 40, "bilinear")
    is_far = crops["warps"][:, 1, 0].abs() > 0.3
    assert is_far.any()
    assert (made[is_far, 0, 0, 0] == 0).all()
    assert made[:, 0, 20, 20].min() == 1
