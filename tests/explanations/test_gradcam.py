"""Grad-CAM agrees with its own definition on real encoders, and says where it can't be had."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from apical import registry
from apical.encoders import backbone_from
from apical.errors import ApicalError
from apical.explanations.base import in_shares
from apical.explanations.gradcam import GradCam
from apical.networks.classifier import Classifier
from tests.backbones.material import lived_in
from tests.explanations.material import first_logit, speckle

WIDTHS = (8, 8, 16, 16)
SMALL: dict[str, dict[str, Any]] = {
    "resnet18": {"stride": 16, "widths": WIDTHS},
    "tsm_resnet18": {"stride": 16, "widths": WIDTHS},
    "unet_encoder": {"width": 4},
    "vit_small": {"dim": 24, "depth": 2, "heads": 2, "image_size": 32},
}
gradcam = GradCam(GradCam.Config())


def network_on(name: str, num_classes: int = 2) -> Classifier:
    torch.manual_seed(0)
    config = registry.load("backbones", name).Config(**SMALL[name])
    network = Classifier(Classifier.Config(), lived_in(backbone_from(config)), num_classes)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["resnet18", "tsm_resnet18", "unet_encoder"])
def test_places_add_up_to_the_logit(name: str) -> None:
    network, clips = network_on(name), speckle(2, 1, 4, 64, 48)
    features = network.backbone(clips)
    weights = network.linear.weight[0]
    by_place = torch.einsum("d,bdthw->bthw", weights, features.map) / features.map[0, 0].numel()
    logits = by_place.sum(dim=(1, 2, 3)) + network.linear.bias[0]
    torch.testing.assert_close(logits, network(clips)[:, 0])
    for sign in (1, -1):
        found = gradcam.explain(network, clips, partial(signed_logit, sign))
        assert found.grid == features.map.shape[-2:]
        spread = functional.interpolate(
            (sign * by_place).clamp(min=0)[:, None], (4, 64, 48), mode="trilinear"
        )
        torch.testing.assert_close(found.maps, in_shares(spread[:, 0]))


def signed_logit(sign: int, outputs: Tensor) -> Tensor:
    return sign * outputs[:, 0]


def test_it_is_the_gradient_through_the_network() -> None:
    """The textbook way: mean gradients as weights, from a graph through the encoder."""
    network, images = network_on("resnet18"), speckle(1, 1, 64, 64).requires_grad_()
    features = network.backbone(images)
    logit = network.linear(features.vector)[:, 0].sum()
    (gradient,) = torch.autograd.grad(logit, features.map)
    cam = (gradient.mean(dim=(2, 3), keepdim=True) * features.map).sum(dim=1).clamp(min=0)
    spread = functional.interpolate(cam[:, None].detach(), (64, 64), mode="bilinear")[:, 0]
    found = gradcam.explain(network, images.detach(), first_logit)
    torch.testing.assert_close(found.maps[:, 0], spread / spread.max(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 1, 3, 32, 32)])
def test_a_class_token_is_no_mean_of_a_map(shape: tuple[int, ...]) -> None:
    network = network_on("vit_small")
    with pytest.raises(ApicalError, match="--way occlusion"):
        gradcam.explain(network, speckle(*shape), first_logit)
    assert not network.backbone._forward_hooks
