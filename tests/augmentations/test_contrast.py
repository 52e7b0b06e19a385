"""Brightness and contrast against torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as oracle

from apical.augmentations.contrast import Contrast, ContrastConfig


def test_it_is_the_colour_jitter_of_torchvision_on_grey_images() -> None:
    images = torch.rand(24, 1, 30, 20, generator=torch.Generator().manual_seed(0))
    contrast = Contrast(ContrastConfig())
    draw = contrast.draw(np.random.default_rng(0), len(images))
    made = contrast.apply(images.clone(), draw)
    for index, image in enumerate(images):
        brightness, factor = float(draw["brightness"][index]), float(draw["contrast"][index])
        if draw["is_first"][index]:
            wanted = oracle.adjust_contrast(oracle.adjust_brightness(image, brightness), factor)
        else:
            wanted = oracle.adjust_brightness(oracle.adjust_contrast(image, factor), brightness)
        torch.testing.assert_close(made[index], wanted, atol=1e-6, rtol=0)
    assert 0 < draw["is_first"].sum() < len(images)


def test_saturation_hue_and_greyscale_do_nothing_to_grey() -> None:
    grey = torch.rand(1, 30, 20, generator=torch.Generator().manual_seed(0)).expand(3, -1, -1)
    for changed in (
        oracle.adjust_saturation(grey, 1.7),
        oracle.adjust_hue(grey, 0.2),
        oracle.rgb_to_grayscale(grey, 3),
    ):
        torch.testing.assert_close(changed, grey, atol=2e-4, rtol=0)  # its weights sum to 0.9999


def test_factors_spread_evenly_and_are_never_negative() -> None:
    draw = Contrast(ContrastConfig(probability=1, brightness=0.4, contrast=1.5)).draw(
        np.random.default_rng(0), 4000
    )
    for name, low, high in (("brightness", 0.6, 1.4), ("contrast", 0.0, 2.5)):
        values = draw[name].double()
        assert values.min() >= low
        assert values.max() <= high
        assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.05)
        assert float(values.std()) == pytest.approx((high - low) / 12**0.5, abs=0.05)


def test_a_clip_has_one_mean_so_that_it_does_not_flicker() -> None:
    clip = torch.stack([torch.full((1, 8, 8), 0.2), torch.full((1, 8, 8), 0.6)], dim=1)
    draw = {
        "brightness": torch.ones(1),
        "contrast": torch.tensor([0.5]),
        "is_first": torch.tensor([True]),
    }
    made = Contrast(ContrastConfig()).apply(clip, draw)
    torch.testing.assert_close(made[0, :, 0, 0], torch.tensor([0.3, 0.5]))
