"""The head that cuts images into parcels: its layers one by one, and maps of a pyramid joined."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from apical.backbones.resnet18 import ResNet18
from apical.errors import ApicalError
from apical.methods._parcel_head import ParcelHead, ParcelHeadConfig, joined
from tests.methods.test_raptor import clips, losses_of, method, noise


def test_it_is_three_layers_with_a_way_round_the_first_two() -> None:
    raptor = method(head={"parcels": 6, "norm": True})
    first, second, third = raptor.head.layers
    tokens = noise(5, 24)

    def normed(each: Tensor) -> Tensor:
        return functional.layer_norm(each, (24,))

    hidden = functional.gelu(first(normed(tokens))) + tokens
    hidden = functional.relu(second(normed(hidden))) + hidden
    torch.testing.assert_close(raptor.head(tokens), third(normed(hidden)))


def test_many_tokens_are_scored_part_by_part_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    head, tokens = method().head, noise(3, 5, 24)
    at_once = head(tokens)
    monkeypatch.setattr("apical.methods._parcel_head.TOKENS_AT_ONCE", 4)
    torch.testing.assert_close(head(tokens), at_once)
    assert head(tokens[:0]).shape == (0, 5, 6)


def test_maps_are_scored_place_by_place() -> None:
    raptor, maps = method(), noise(2, 24, 3, 5)
    scores = raptor.head.maps(maps)
    assert scores.shape == (2, 6, 3, 5)
    torch.testing.assert_close(scores[1, :, 2, 4], raptor.head(maps[1, :, 2, 4]))


@pytest.mark.parametrize("levels", [(0,), (1, 2), (3, 0)])
def test_levels_of_a_pyramid_are_joined_at_the_size_of_the_finest(levels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    backbone, images = ResNet18(ResNet18.Config()).eval(), torch.rand(2, 1, 64, 48)
    pyramid = backbone.pyramid(images)
    found = joined(backbone, images, levels)
    height, width = max(pyramid[level].shape[-2:] for level in levels)
    assert found.shape == (2, sum(pyramid[level].shape[1] for level in levels), height, width)
    start = 0
    for level in levels:
        own = found[:, start : start + pyramid[level].shape[1]]
        start += own.shape[1]
        if own.shape[-2:] == pyramid[level].shape[-2:]:
            torch.testing.assert_close(own.mean(dim=1), torch.zeros(2, height, width), atol=1e-5, rtol=0)
            assert ((own.var(dim=1, correction=0) - 1).abs() < 0.05).all()
    raptor = method(backbone, head={"parcels": 6, "levels": levels})
    losses = losses_of(raptor, clips(samples=2, frames=2))
    assert losses["loss"].isfinite()
    assert raptor.traced_figures(images, torch.ones(2, 1, 64, 48))["purity"] == 1


@pytest.mark.parametrize("levels", [(), (9,), (0, -1)])
def test_levels_that_are_not_there_are_told(levels: tuple[int, ...]) -> None:
    with pytest.raises(ApicalError, match=r"pyramid has \d maps.*method\.head\.levels"):
        ParcelHead(ResNet18(ResNet18.Config()), ParcelHeadConfig(levels=levels))


def test_a_class_token_goes_with_the_last_map_alone() -> None:
    with pytest.raises(ApicalError, match=r"class token.*levels=null"):
        method(class_token=True, head={"parcels": 6, "levels": (0,)})


def test_it_is_kept_beside_the_encoder() -> None:
    raptor = method()
    assert raptor.heads == {"head": raptor.head}
    assert raptor.encoder is raptor.backbone
