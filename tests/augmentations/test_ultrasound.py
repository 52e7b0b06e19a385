"""What the ultrasound augmentations draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from apical import registry

SIZE = 64


def applied(name: str, images: Tensor, seed: int = 0, **settings: Any) -> Tensor:
    kind = registry.load("augmentations", name)
    piece = kind(kind.Config(probability=1, **settings))
    made: Tensor = piece.apply(images.clone(), piece.draw(np.random.default_rng(seed), len(images)))
    return made


def fan(count: int = 16, grey: float = 0.5) -> Tensor:
    """A grey sector under the middle of the upper edge, with a dark hole, on black."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    image = ((x - SIZE / 2).abs() < 0.7 * y).float() * grey
    image[30:40, 28:36] = 0
    return image.expand(count, 1, -1, -1).clone()


@pytest.mark.parametrize("name", ["depth_gain", "speckle", "haze", "shadow"])
def test_the_surround_of_the_sector_stays_black(name: str) -> None:
    images = fan()
    surround = fan(1)[0, 0].numpy() == 0
    surround[30:40, 28:36] = False
    assert applied(name, images)[:, 0, torch.from_numpy(surround)].max() == 0


def test_gain_changes_smoothly_with_depth_and_not_across() -> None:
    made = applied("depth_gain", torch.full((16, 1, SIZE, SIZE), 0.5), strength=0.4)
    gains = made[:, 0, :, 0] / 0.5
    torch.testing.assert_close(made[:, 0], (gains * 0.5)[:, :, None].expand(-1, -1, SIZE))
    assert gains.min() >= 0.6
    assert gains.max() <= 1.4
    assert gains.std(dim=1).min() > 0.02
    assert gains.diff(dim=1).abs().max() < 0.8 * 1.5 * 5 / SIZE * 1.01


def test_speckle_has_the_strength_and_the_grain_that_are_asked_for() -> None:
    sigma = 0.02 * 200
    flat = torch.full((8, 1, 200, 200), 0.5)
    noise = applied("speckle", flat, strength=(0.1, 0.1), grain=0.02, elongation=1.5) / 0.5 - 1
    assert float(noise.std()) == pytest.approx(0.1, rel=0.05)
    assert float(noise.mean()) == pytest.approx(0, abs=0.005)
    for axis, width in ((2, sigma), (3, 1.5 * sigma)):
        lag = round(width)
        near = (noise.narrow(axis, lag, 200 - lag) * noise.narrow(axis, 0, 200 - lag)).mean() / noise.var()
        assert float(near) == pytest.approx(np.exp(-((lag / width) ** 2) / 4), abs=0.08)


def test_speckle_of_a_sample_has_nothing_in_common_with_anothers() -> None:
    noise = applied("speckle", torch.full((6, 1, 200, 200), 0.5), strength=(0.1, 0.1)).flatten(1)
    assert (torch.corrcoef(noise) - torch.eye(6)).abs().max() < 0.1


def test_speckle_flickers_if_asked() -> None:
    made = applied("speckle", torch.full((2, 3, SIZE, SIZE), 0.5), flickers=True)
    assert (made[:, 0] != made[:, 1]).float().mean() > 0.9


def test_haze_is_thickest_near_the_probe_and_fills_dark_cavities() -> None:
    images = fan()
    added = applied("haze", images, strength=(0.2, 0.2), unevenness=0.0) - images
    assert added.min() >= 0
    assert added[:, 0, 30:40, 28:36].min() > 0.01
    middle = added[:, 0, :, SIZE // 2 + 6]
    assert (middle[:, 12:20].mean(dim=1) > 1.3 * middle[:, 50:60].mean(dim=1)).all()


def test_haze_is_smooth_inside_the_sector() -> None:
    inside = torch.from_numpy(ndimage.binary_erosion(fan(1)[0, 0].numpy() > 0, iterations=2))
    added = (applied("haze", fan()) - fan())[:, 0]
    steps = (added[:, 1:] - added[:, :-1]).abs()[:, inside[1:] & inside[:-1]]
    assert 0 < steps.max() < 0.03


def test_shadow_is_a_wedge_that_begins_near_the_probe_and_widens_downwards() -> None:
    kept = applied("shadow", torch.ones(64, 1, SIZE, SIZE), steepest_degrees=20.0)[:, 0]
    assert kept.max() <= 1
    assert kept[:, 0].min() > 0.98
    widths = (kept < 0.9).sum(dim=2)
    assert (widths[:, -1] > widths[:, SIZE * 2 // 3]).float().mean() > 0.9
    assert (widths[:, -1] < 0.6 * SIZE).all()
    assert kept[:, -1].amin(dim=1).max() < 0.65


def test_shadow_has_soft_edges() -> None:
    kept = applied("shadow", torch.ones(64, 1, SIZE * 4, SIZE * 4), strength=(0.9, 0.9))[:, 0, SIZE * 2 :]
    assert kept.diff(dim=2).abs().max() < 0.25
