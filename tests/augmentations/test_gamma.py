"""The gamma curve against torchvision's."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.transforms.functional import adjust_gamma

from apical.augmentations.gamma import Gamma, GammaConfig


def test_it_is_torchvisions_adjust_gamma() -> None:
    images = torch.rand(8, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    gamma = Gamma(GammaConfig(probability=1))
    draw = gamma.draw(np.random.default_rng(0), 8)
    made = gamma.apply(images.clone(), draw)
    for image, changed, exponent in zip(images, made, draw["exponents"].tolist(), strict=True):
        torch.testing.assert_close(changed, adjust_gamma(image, exponent))


def test_powers_and_their_inverses_are_drawn_as_often() -> None:
    draw = Gamma(GammaConfig(probability=1, exponent=(0.5, 2.0))).draw(np.random.default_rng(0), 4000)
    assert abs(float((draw["exponents"] < 1).double().mean()) - 0.5) < 0.03
