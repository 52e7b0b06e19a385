"""What is made of patches lies where the patches lie, whatever the image's size."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from apical import registry
from apical.networks.token_decoder import TokenDecoder
from tests.backbones.material import grey_images
from tests.networks.material import SMALL, Case, built, settled

VIT = registry.load("backbones", "vit_small")
TINY = SMALL["vit_small"][0]


@pytest.mark.parametrize("name", ["linear", "token_decoder"])
def test_an_odd_image_is_seen_as_one_with_black_around_it(name: str) -> None:
    network = settled(built(Case(name, VIT.Config(**TINY))))
    images = grey_images(2, 1, 65, 47)
    with torch.no_grad():
        whole = network(functional.pad(images, (0, 1, 0, 7)))
        torch.testing.assert_close(network(images), whole[..., :65, :47], rtol=1e-4, atol=1e-5)


def test_a_linear_probe_spreads_each_place_over_its_pixels() -> None:
    network = settled(built(Case("linear", VIT.Config(**TINY))))
    images = grey_images(1, 1, 64, 64)
    with torch.no_grad():
        places, norm = network.backbone(images).map, network.norm
        assert isinstance(norm, torch.nn.BatchNorm2d)
        scaled = (places - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()  # type: ignore[index]
        logits = torch.einsum("kd,bdhw->bkhw", network.classifier.weight[:, :, 0, 0], scaled)  # type: ignore[index, union-attr]
        expected = functional.interpolate(logits, scale_factor=8, mode="bilinear")
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("patch", "widths"), [(4, [64]), (8, [64, 32]), (16, [64, 32, 16])])
def test_tokens_of_any_patch_are_doubled_to_half_the_images_size(patch: int, widths: list[int]) -> None:
    network = built(Case("token_decoder", VIT.Config(**{**TINY, "patch": patch}))).eval()
    assert isinstance(network, TokenDecoder)
    images = grey_images(1, 1, 64, 48)
    with torch.no_grad():
        assert network.half_sized(network.backbone(images).map).shape == (1, widths[-1], 32, 24)
        assert network(images).shape == (1, 2, 64, 48)
    assert [step[0].out_channels for step in network.steps] == widths  # type: ignore[index]


def test_the_size_of_the_tokens_does_not_matter() -> None:
    network = settled(built(Case("token_decoder", VIT.Config(**TINY))))
    assert isinstance(network, TokenDecoder)
    tokens = grey_images(2, 48, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(
            network.half_sized(tokens), network.half_sized(100 * tokens + 7), rtol=1e-3, atol=1e-3
        )
