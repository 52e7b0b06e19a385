"""Every backbone keeps the contract: walking the folder, so that a new one is tested without a line here."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from pathlib import Path

import pytest
import torch

from apical import registry
from apical.backbones.base import Backbone
from apical.checkpoint import read_tensors, write_tensors
from apical.errors import ApicalError
from apical.layout import channels_last
from tests.backbones.material import grey_images, lived_in

NAMES = registry.names("backbones")
SIDE = 64


def fresh(name: str, seed: int = 0, **settings: object) -> Backbone:
    torch.manual_seed(seed)
    kind = registry.load("backbones", name)
    backbone: Backbone = kind(kind.Config(**settings))
    return backbone


@pytest.fixture(scope="module")
def default() -> Callable[[str], Backbone]:
    """Backbones with default settings, built once; no test may change them."""
    built: dict[str, Backbone] = {}

    def get(name: str) -> Backbone:
        if name not in built:
            built[name] = lived_in(fresh(name))
        return built[name]

    return get


@pytest.mark.parametrize("name", NAMES)
def test_the_vector_and_the_map_have_the_promised_shapes(
    default: Callable[[str], Backbone], name: str
) -> None:
    backbone = default(name)
    with torch.no_grad():
        vector, places = backbone(grey_images(2, 1, SIDE, SIDE))
    side = SIDE // backbone.stride
    assert vector.shape == (2, backbone.num_features)
    assert places.shape == (2, backbone.num_features, side, side)
    assert vector.isfinite().all()
    assert places.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_odd_sizes_lose_at_most_one_place_a_side(default: Callable[[str], Backbone], name: str) -> None:
    backbone = default(name)
    with torch.no_grad():
        height, width = backbone(grey_images(1, 1, 51, 75)).map.shape[2:]
    assert 51 // backbone.stride <= height <= ceil(51 / backbone.stride)
    assert 75 // backbone.stride <= width <= ceil(75 / backbone.stride)


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_image_works_and_a_smaller_one_is_refused(
    default: Callable[[str], Backbone], name: str
) -> None:
    backbone, least = default(name), default(name).smallest
    with torch.no_grad():
        assert backbone(grey_images(1, 1, least, least)).vector.isfinite().all()
    with pytest.raises(ApicalError, match=f"every side {least} pixels"):
        backbone(grey_images(1, 1, 2 * least, least - 1))


@pytest.mark.parametrize("name", NAMES)
def test_the_vector_alone_teaches_every_weight(default: Callable[[str], Backbone], name: str) -> None:
    backbone = default(name)
    direction = torch.randn(backbone.num_features, generator=torch.Generator().manual_seed(2))
    loss = (backbone(grey_images(2, 1, SIDE, SIDE)).vector @ direction).square().sum()
    named = dict(backbone.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    untaught = [key for key, grad in zip(named, gradients, strict=True) if grad is None or not grad.any()]
    assert not untaught


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_weights(name: str) -> None:
    first, same = (fresh(name, seed).state_dict() for seed in (1, 1))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert any(
        tensor.numel() > 1 and tensor.std() > 0 for tensor in first.values() if tensor.is_floating_point()
    )


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_sees_the_same(
    default: Callable[[str], Backbone], name: str, tmp_path: Path
) -> None:
    images = grey_images(1, 1, SIDE, SIDE)
    write_tensors(tmp_path / "w.safetensors", default(name).state_dict(), {})
    loaded = fresh(name, seed=9).eval()
    loaded.load_state_dict(read_tensors(tmp_path / "w.safetensors")[0])
    with torch.no_grad():
        for mine, theirs in zip(default(name)(images), loaded(images), strict=True):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_the_input_scale_is_applied_and_travels_with_the_weights(name: str) -> None:
    backbone = fresh(name, input_mean=0.3, input_std=0.2).eval()
    images = grey_images(1, 1, SIDE, SIDE)
    with torch.no_grad():
        assert torch.equal(backbone(images).vector, backbone.features((images - 0.3) / 0.2).vector)
    assert backbone.state_dict()["input_mean"] == torch.tensor(0.3)
    assert backbone.state_dict()["input_std"] == torch.tensor(0.2)


@pytest.mark.parametrize("name", NAMES)
def test_the_pyramid_goes_from_fine_to_the_map(default: Callable[[str], Backbone], name: str) -> None:
    backbone, images = default(name), grey_images(1, 1, SIDE, SIDE)
    with torch.no_grad():
        maps = backbone.pyramid(images)
        assert torch.equal(maps[-1], backbone(images).map)
    heights = [each.shape[2] for each in maps]
    assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_with_channels_last_sees_much_the_same_and_teaches(name: str) -> None:
    backbone = lived_in(fresh(name))
    images = grey_images(2, 1, SIDE, SIDE)
    with torch.no_grad():
        exact = backbone(images).vector
    channels_last(backbone)
    with torch.autocast("cpu", torch.bfloat16):
        rough = backbone(images.to(memory_format=torch.channels_last)).vector
    rough.float().square().mean().backward()
    assert (torch.linalg.norm(rough - exact) / torch.linalg.norm(exact)).item() < 0.03
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in backbone.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_what_timm_says_of_published_weights_is_what_the_backbone_assumes(
    default: Callable[[str], Backbone], name: str
) -> None:
    import timm

    for kind, published in default(name).published().items():
        if kind == "kinetics":  # which torchvision gives out: see test_video.py
            continue
        settings = timm.get_pretrained_cfg(published.name, allow_unregistered=False)
        assert settings is not None
        assert (settings.mean, settings.std) == default(name).foreign[kind]
        assert published.licence == settings.license != "not stated"
