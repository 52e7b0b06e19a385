"""Solarising against torchvision's."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.transforms.functional import solarize

from apical.augmentations.solarise import Solarise, SolariseConfig


def test_it_is_torchvisions_solarize() -> None:
    images = torch.rand(4, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    images[0, 0, 0, 0] = 128 / 255
    piece = Solarise(SolariseConfig(probability=1))
    made = piece.apply(images.clone(), piece.draw(np.random.default_rng(0), 4))
    assert torch.equal(made, solarize(images, float(torch.tensor(128 / 255))))
