"""The blur against torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from apical.augmentations.blur import Blur, BlurConfig
from apical.config import read_config
from apical.errors import ApicalError


@pytest.mark.parametrize("size", [(40, 52), (12, 13)])
@pytest.mark.parametrize("kernel_size", [23, 5])
def test_it_is_torchvisions_gaussian_blur(size: tuple[int, int], kernel_size: int) -> None:
    images = torch.rand(12, 2, *size, generator=torch.Generator().manual_seed(0))
    config = BlurConfig(probability=1, kernel_size=kernel_size)
    draw = Blur(config).draw(np.random.default_rng(0), len(images))
    made = Blur(config).apply(images.clone(), draw)
    random = np.random.default_rng(0)
    random.random(len(images))
    for image, blurred, sigma in zip(images, made, random.uniform(*config.sigma, len(images)), strict=True):
        torch.testing.assert_close(
            blurred, gaussian_blur(image, [kernel_size] * 2, [sigma] * 2), atol=5e-5, rtol=0
        )


def test_an_image_smaller_than_the_kernel_is_mirrored_again_and_again() -> None:
    images = torch.rand(3, 1, 4, 1, generator=torch.Generator().manual_seed(0))
    blur = Blur(BlurConfig(probability=1, sigma=(30.0, 40.0)))
    made = blur.apply(images.clone(), blur.draw(np.random.default_rng(0), 3))
    assert made.std(dim=2).max() < 0.5 * images.std(dim=2).min()


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ApicalError, match="odd number"):
        read_config(BlurConfig, kernel_size=22)
