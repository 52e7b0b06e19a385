"""Where views lie: enlarged, stretched, moved, turned and mirrored as asked, and masks go where their images go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from apical.augmentations._place import PlaceConfig, draw_places
from apical.tasks._mask_answers import as_shown
from apical.views import ViewConfig, Views

HEIGHT, WIDTH = 48, 80
STILL: dict[str, Any] = {"zoom": (1.0, 1.0), "shift": 0.0, "rotation_degrees": 0.0}
"""Settings that change nothing."""


def warps(count: int = 200, seed: int = 0, **settings: Any) -> Tensor:
    config = PlaceConfig.model_validate({**STILL, **settings})
    return draw_places(config, np.random.default_rng(seed), count, HEIGHT, WIDTH)["warps"].double()


def in_pixels(places: Tensor) -> Tensor:
    """Lengths of the frame, from -1 to 1, in its pixels: columns are (x, y)."""
    return places * torch.tensor([WIDTH, HEIGHT], dtype=torch.float64)[:, None] / 2


def axes(given: Tensor) -> Tensor:
    """(B, 2, 2): where a step of a pixel to the right and one down in a view of the frame's size go, in its pixels."""
    return in_pixels(given[:, :, :2]) / torch.tensor([WIDTH, HEIGHT], dtype=torch.float64) * 2


def test_settings_that_change_nothing_are_the_identity() -> None:
    identity = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=torch.float64).expand(200, 2, 3)
    torch.testing.assert_close(warps(), identity, rtol=0, atol=0)


def test_a_turn_keeps_lengths_and_angles_on_a_frame_that_is_not_square() -> None:
    turned = axes(warps(rotation_degrees=30.0))
    identity = torch.eye(2, dtype=torch.float64).expand(200, 2, 2)
    torch.testing.assert_close(turned.mT @ turned, identity, rtol=0, atol=1e-6)
    angles = torch.rad2deg(torch.atan2(turned[:, 1, 0], turned[:, 0, 0]))
    assert 28 < angles.abs().max() <= 30
    assert abs(angles.mean()) < 4


def test_a_zoom_enlarges_as_often_as_it_makes_smaller_and_both_sides_alike() -> None:
    scales = axes(warps(2000, zoom=(0.8, 1.25)))
    torch.testing.assert_close(scales[:, 0, 0], scales[:, 1, 1])
    enlarged = 1 / scales[:, 0, 0]
    assert 0.8 <= enlarged.min() < 0.81
    assert 1.24 < enlarged.max() <= 1.25 + 1e-6
    assert abs(enlarged.log().mean()) < 0.01


def test_a_stretch_keeps_the_area() -> None:
    stretched = axes(warps(stretch=0.3))
    torch.testing.assert_close(torch.linalg.det(stretched), torch.ones(200, dtype=torch.float64))
    wider = -stretched[:, 0, 0].log()
    assert 0.29 < wider.abs().max() <= 0.3 + 1e-6
    assert (wider > 0).double().mean() == pytest.approx(0.5, abs=0.1)


def test_a_shift_is_a_share_of_the_side() -> None:
    moved = warps(2000, shift=0.1)[:, :, 2] / 2
    assert (moved.abs().amax(dim=0) > 0.098).all()
    assert (moved.abs() <= 0.1 + 1e-6).all()


def test_the_asked_share_is_mirrored_left_to_right() -> None:
    mirrored = axes(warps(2000, flip_probability=0.3, rotation_degrees=20.0))
    determinants = torch.linalg.det(mirrored)
    torch.testing.assert_close(determinants.abs(), torch.ones(2000, dtype=torch.float64))
    assert float((determinants < 0).double().mean()) == pytest.approx(0.3, abs=0.03)
    assert (mirrored[:, 1, 1] > 0).all()


def test_a_draw_hangs_on_its_generator_alone() -> None:
    settings = PlaceConfig(stretch=0.2, flip_probability=0.5).model_dump()
    assert torch.equal(warps(seed=3, **settings), warps(seed=3, **settings))
    assert not torch.equal(warps(seed=3, **settings), warps(seed=4, **settings))


def masks(count: int = 12) -> Tensor:
    """Ellipses (B, H, W) here and there."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rows, columns = random.uniform(16, 32, (count, 1, 1)), random.uniform(28, 52, (count, 1, 1))
    inside = ((y - rows) / 14) ** 2 + ((x - columns) / random.uniform(12, 20, (count, 1, 1))) ** 2 <= 1
    return torch.from_numpy(inside)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (64, 64)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_mask_goes_where_its_image_goes(size: tuple[int, int], interpolation: str) -> None:
    place = {"stretch": 0.2, "flip_probability": 0.5, "interpolation": interpolation}
    view = ViewConfig.model_validate({"count": 1, "place": place}).model_copy(update={"size": size})
    views = Views({"shown": view}, HEIGHT, WIDTH)
    truth = masks()
    draw = views.draw(np.random.default_rng(0), len(truth))
    frames = (truth * 255).to(torch.uint8)[:, None, None]
    (shown, again), (warp, _) = (
        [made["shown"][0] for made in (views.apply(frames, draw)[which], views.apply(frames, draw)[which])]
        for which in (0, 1)
    )
    assert torch.equal(shown, again)
    image, mask = shown > 0.5, as_shown(truth[:, None].float(), warp, size) > 0.5
    dice = 2 * (image & mask).sum((1, 2, 3)) / (image.sum((1, 2, 3)) + mask.sum((1, 2, 3)))
    assert dice.min() > 0.97
    still = torch.nn.functional.interpolate(truth[:, None].float(), size) > 0.5
    assert (2 * (image & still).sum() / (image.sum() + still.sum())) < 0.95


def test_what_lies_beyond_the_frame_is_black() -> None:
    place = {"zoom": (0.5, 0.5), "shift": 0.0, "rotation_degrees": 0.0}
    views = Views({"shown": ViewConfig.model_validate({"count": 1, "place": place})}, HEIGHT, WIDTH)
    white = torch.full((3, 1, 1, HEIGHT, WIDTH), 255, dtype=torch.uint8)
    (shown,) = views.apply(white, views.draw(np.random.default_rng(0), 3))[0]["shown"]
    assert float(shown.mean()) == pytest.approx(0.25, abs=0.01)
    assert not shown[:, :, :10].any()
    assert shown[:, :, 14:-14, 22:-22].min() == 1


@pytest.mark.parametrize("wrong", [{"zoom": (1.2, 0.8)}, {"zoom": (0, 1)}, {"stretch": 1}, {"shift": -0.1}])
def test_ranges_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PlaceConfig.model_validate(wrong)
