"""Where crops lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torchvision.transforms import RandomResizedCrop

from apical.augmentations._crop import CropConfig, draw_crops


def boxes(config: CropConfig, count: int, height: int, width: int) -> Tensor:
    return draw_crops(config, np.random.default_rng(0), count, height, width)["boxes"].double()


def test_boxes_are_spread_as_those_of_torchvision() -> None:
    config = CropConfig(scale=(0.08, 1.0))
    ours = boxes(config, 3000, 90, 112)
    torch.manual_seed(0)
    image = torch.zeros(1, 90, 112)
    theirs = torch.tensor(
        [RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(3000)]
    ).double()
    for mine, other in zip(ours.T, theirs.T, strict=True):
        edges = torch.quantile(other, torch.linspace(0.1, 0.9, 9, dtype=torch.float64))
        shares = (mine[:, None] <= edges).double().mean(dim=0)
        theirs_shares = (other[:, None] <= edges).double().mean(dim=0)
        assert (shares - theirs_shares).abs().max() < 0.05


def test_boxes_lie_in_the_frame() -> None:
    top, left, tall, wide = boxes(CropConfig(), 2000, 50, 80).T
    assert min(top.min(), left.min()) >= 0
    assert (top + tall).max() <= 50
    assert (left + wide).max() <= 80


def test_where_no_box_fits_the_largest_at_the_centre_is_taken() -> None:
    config = CropConfig(scale=(1.0, 1.0), ratio=(1.0, 1.0))
    assert boxes(config, 2, 50, 80).tolist() == [[0, 15, 50, 50]] * 2
    assert boxes(CropConfig(scale=(1.0, 1.0), ratio=(0.5, 0.5)), 1, 50, 80).tolist() == [[0, 27, 50, 25]]


def test_warps_take_the_corners_of_a_view_to_those_of_its_box() -> None:
    draw = draw_crops(CropConfig(), np.random.default_rng(0), 40, 50, 80)
    for (top, left, tall, wide), flip, warp in zip(
        draw["boxes"].tolist(), draw["flips"], draw["warps"], strict=True
    ):
        start = (warp @ torch.tensor([1.0 if flip else -1.0, -1.0, 1.0]) + 1) / 2 * torch.tensor([80, 50])
        end = (warp @ torch.tensor([-1.0 if flip else 1.0, 1.0, 1.0]) + 1) / 2 * torch.tensor([80, 50])
        torch.testing.assert_close(start, torch.tensor([left, top]).float(), atol=1e-4, rtol=0)
        torch.testing.assert_close(end, torch.tensor([left + wide, top + tall]).float(), atol=1e-4, rtol=0)


def test_a_turn_keeps_lengths_and_angles_in_pixels_and_is_within_bounds() -> None:
    config = CropConfig(rotation_degrees=30, flip_probability=0, ratio=(1.0, 1.0))
    draw = draw_crops(config, np.random.default_rng(0), 500, 50, 80)
    pixels = draw["warps"][:, :, :2].double() * torch.tensor([80, 50])[:, None]
    sides = draw["boxes"][:, 2].double()
    angles = torch.rad2deg(torch.atan2(pixels[:, 1, 0], pixels[:, 0, 0]))
    torch.testing.assert_close(pixels.norm(dim=1), sides[:, None].expand(-1, 2), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        (pixels[:, :, 0] * pixels[:, :, 1]).sum(dim=1) / sides**2,
        torch.zeros(500).double(),
        atol=1e-6,
        rtol=0,
    )
    assert 28 < angles.abs().max() <= 30
    assert draw["turned"].all()


def test_only_the_asked_share_of_views_is_turned() -> None:
    config = CropConfig(rotation_degrees=30, rotation_probability=0.25)
    share = draw_crops(config, np.random.default_rng(0), 2000, 50, 80)["turned"].double().mean()
    assert float(share) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_crops_hold_the_asked_share_of_the_sector(degrees: float) -> None:
    sectors = torch.zeros(200, 16, 16)
    sectors[:, :, 6:] = 1
    config = CropConfig(scale=(0.1, 0.4), sector_aware=0.9, rotation_degrees=degrees)
    aware, unaware = (
        draw_crops(config, np.random.default_rng(0), 200, 100, 100, given) for given in (sectors, None)
    )
    shares = [_sector_share(draw["warps"], 0.375) for draw in (aware, unaware)]
    assert (shares[0] > 0.8).double().mean() > 0.97
    assert (shares[1] > 0.8).double().mean() < 0.7


def test_where_no_crop_holds_enough_of_the_sector_the_one_with_most_is_taken() -> None:
    sectors = torch.zeros(100, 16, 16)
    sectors[:, :4, :4] = 1
    config = CropConfig(scale=(0.05, 0.1), sector_aware=1.0)
    aware, unaware = (
        draw_crops(config, np.random.default_rng(0), 100, 100, 100, given)["boxes"][:, :2].double().mean()
        for given in (sectors, None)
    )
    assert aware < 0.75 * unaware


def _sector_share(warps: Tensor, left: float) -> Tensor:
    """The share of each view that lies in the frame and to the right of `left`, point by point."""
    ticks = torch.linspace(-0.99, 0.99, 50)
    places = torch.stack([*torch.meshgrid(ticks, ticks, indexing="xy"), torch.ones(50, 50)]).flatten(1)
    x, y = ((warps @ places + 1) / 2).unbind(dim=1)
    return ((x >= left) & (x <= 1) & (y >= 0) & (y <= 1)).double().mean(dim=1)


@pytest.mark.parametrize("settings", [{"scale": (0.5, 0.4)}, {"scale": (0.5, 1.4)}, {"ratio": (0.0, 1.0)}])
def test_ranges_that_are_none_are_refused(settings: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValidationError):
        CropConfig.model_validate(settings)
