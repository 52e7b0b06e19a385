"""The residual nets are torchvision's, at every stride."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from apical import registry
from apical.backbones._resnet import ResNet
from apical.backbones.resnet18 import ResNet18
from apical.backbones.resnet50 import ResNet50
from tests.backbones.material import grey_images, lived_in

DILATED = {8: (False, True, True), 16: (False, False, True), 32: (False, False, False)}


def ours(name: str, stride: int, **settings: object) -> ResNet:
    kind = registry.load("backbones", name)
    backbone: ResNet = kind(kind.Config(stride=stride, **settings))
    return backbone.eval()


def theirs(name: str, stride: int) -> nn.Module:
    """Torchvision's net for one channel, without its head."""
    settings = {"replace_stride_with_dilation": DILATED[stride]} if name == "resnet50" else {}
    net: nn.Module = torchvision.models.get_model(name, weights=None, **settings)
    net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    net.fc = nn.Identity()
    return lived_in(net)


def their_map(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    for name, part in net.named_children():
        images = part(images) if name not in ("avgpool", "fc") else images
    return images


@pytest.mark.parametrize(("name", "stride"), [("resnet18", 32), *(("resnet50", s) for s in DILATED)])
@pytest.mark.parametrize("side", [64, 51])
def test_it_is_the_same_function_as_torchvisions(name: str, stride: int, side: int) -> None:
    net, backbone, images = theirs(name, stride), ours(name, stride), grey_images(2, 1, side, side)
    taken = backbone.net.load_state_dict(net.state_dict())
    assert not taken.missing_keys + taken.unexpected_keys
    with torch.no_grad():
        vector, places = backbone(images)
        torch.testing.assert_close(places, their_map(net, images), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(vector, net(images), rtol=1e-4, atol=1e-5)


def test_in_training_it_is_torchvisions_too() -> None:
    net, backbone, images = theirs("resnet50", 8), ours("resnet50", 8), grey_images(2, 1, 64, 64)
    backbone.net.load_state_dict(net.state_dict())
    vector = backbone.train()(images).vector
    expected = net.train()(images)
    torch.testing.assert_close(vector, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(backbone.net.bn1.running_mean, net.state_dict()["bn1.running_mean"])


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("stride", [8, 16])
def test_a_finer_stride_is_the_same_net_looked_at_in_more_places(name: str, stride: int) -> None:
    coarse, fine = lived_in(ours(name, 32)), ours(name, stride)
    fine.load_state_dict(coarse.state_dict())
    images = grey_images(1, 1, 64, 64)
    step = 32 // stride
    with torch.no_grad():
        torch.testing.assert_close(
            fine(images).map[..., ::step, ::step], coarse(images).map, rtol=1e-4, atol=1e-5
        )


def test_the_pyramid_is_the_stem_and_four_stages() -> None:
    for kind, stride in ((ResNet18, 32), (ResNet50, 8)):
        maps = ours(kind.__name__.lower(), stride).pyramid(grey_images(1, 1, 64, 64))
        assert [64 // each.shape[-1] for each in maps] == [2, 4, *(min(s, stride) for s in (8, 16, 32))]


def test_the_sizes_are_those_of_the_paper() -> None:
    assert ours("resnet18", 32).num_features == 512
    assert ours("resnet50", 8).num_features == 2048
    weights = sum(weight.numel() for weight in ours("resnet50", 8).parameters())
    assert (
        weights == 25_557_032 - (2048 * 1000 + 1000) - 2 * 64 * 7 * 7
    )  # torchvision's, no head, one channel


def test_started_as_the_identity_every_block_hands_its_input_on() -> None:
    stem, first, *_ = ours("resnet18", 32, zero_init=True).pyramid(grey_images(1, 1, 32, 32))
    torch.testing.assert_close(first, nn.functional.max_pool2d(stem, 3, 2, 1))


def test_dropped_paths_are_drawn_in_training_only() -> None:
    backbone, images = ours("resnet18", 32, drop_path=0.9), grey_images(4, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(backbone(images).vector, backbone(images).vector)
        for module in backbone.train().modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        assert not torch.equal(backbone(images).vector, backbone(images).vector)


def test_narrower_stages_are_as_narrow_as_asked_and_nobody_publishes_them() -> None:
    narrow = ours("resnet18", 32, widths=(8, 16, 24, 32))
    assert narrow.num_features == 32
    assert [each.shape[1] for each in narrow.pyramid(grey_images(1, 1, 32, 32))] == [64, 8, 16, 24, 32]
    assert not narrow.published()
    assert ours("resnet18", 32).published()
