"""The U-Net's encoder is the paper's."""

from __future__ import annotations

import torch
from torch.nn import functional

from apical.backbones.unet_encoder import UNetEncoder
from tests.backbones.material import grey_images, lived_in

WIDTHS = [64, 128, 256, 512, 512]


def test_it_computes_what_the_paper_says_level_by_level() -> None:
    backbone = lived_in(UNetEncoder(UNetEncoder.Config()))
    state = backbone.state_dict()
    images = grey_images(2, 1, 48, 33)
    with torch.no_grad():
        expected = images
        for index, places in enumerate(backbone.pyramid(images)):
            if index:
                expected = expected.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
            for conv, norm in ((0, 1), (3, 4)):
                at = f"levels.{index}"
                expected = functional.conv2d(
                    expected, state[f"{at}.{conv}.weight"], state[f"{at}.{conv}.bias"], padding=1
                )
                mean, var, weight, bias = (
                    state[f"{at}.{norm}.{name}"].view(1, -1, 1, 1)
                    for name in ("running_mean", "running_var", "weight", "bias")
                )
                expected = ((expected - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)
            torch.testing.assert_close(places, expected, rtol=1e-4, atol=1e-5)


def test_its_levels_are_64_to_512_features_wide_and_it_has_no_other_weights() -> None:
    backbone = UNetEncoder(UNetEncoder.Config())
    maps = backbone.pyramid(grey_images(1, 1, 32, 32))
    assert [each.shape[1] for each in maps] == WIDTHS
    assert [each.shape[2] for each in maps] == [32, 16, 8, 4, 2]
    pairs = [(a, b) for before, b in zip([1, *WIDTHS], WIDTHS, strict=False) for a in (before, b)]
    weights = sum(9 * a * b + b + 2 * b for a, b in pairs)
    assert sum(weight.numel() for weight in backbone.parameters()) == weights


def test_a_narrow_one_has_the_same_levels() -> None:
    narrow = UNetEncoder(UNetEncoder.Config(width=4))
    assert [each.shape[1] for each in narrow.pyramid(grey_images(1, 1, 32, 32))] == [4, 8, 16, 32, 32]
    assert narrow.num_features == 32
