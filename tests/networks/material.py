"""What tests of networks share: every network on small forms of all the backbones that it fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from apical import registry
from apical.backbones.base import Backbone, BackboneConfig
from apical.encoders import backbone_from
from apical.networks.base import Network, network_from
from tests.backbones.material import lived_in

SMALL: Mapping[str, list[dict[str, Any]]] = {
    "resnet18": [{"stride": 8}, {"stride": 32}],
    "resnet50": [{"stride": 8}],
    "tsm_resnet18": [{"widths": [16, 32, 64, 128]}],
    "unet_encoder": [{"width": 8}],
    "vit_small": [{"dim": 48, "depth": 2, "heads": 3, "patch": 8, "image_size": 64}],
}
"""Settings by backbone; one that is not here is tested as it is."""
SEEN_ELSEWHERE = {("linear", "r2plus1d_18")}
"""It differs from R3D-18 in its kernels alone, and is slow: one network around it is enough."""
NETWORKS = registry.names("networks")
BACKBONES = registry.names("backbones")


class Case(NamedTuple):
    """A network's name, and settings of a backbone that it fits."""

    network: str
    backbone: BackboneConfig

    def __str__(self) -> str:
        stride = getattr(self.backbone, "stride", "")
        return f"{self.network}-{self.backbone.name}{stride}"


def small(name: str) -> list[BackboneConfig]:
    """Small forms of the backbone of that name."""
    kind = registry.load("backbones", name)
    return [kind.Config(**settings) for settings in SMALL.get(name, [{}])]


def cases() -> Iterator[Case]:
    """Each network with each backbone that it fits."""
    for name in NETWORKS:
        kind: type[Network] = registry.load("networks", name)
        for config in (each for backbone in kind.backbones for each in small(backbone)):
            stride = getattr(config, "stride", None)
            fits = not kind.strides or stride is None or stride in kind.strides
            if fits and (name, config.name) not in SEEN_ELSEWHERE:
                yield Case(name, config)


CASES = list(cases())


def built(case: Case, seed: int = 0, num_classes: int = 2) -> Network:
    """The network of that case."""
    torch.manual_seed(seed)
    return around(case, backbone_from(case.backbone), num_classes)


def around(case: Case, backbone: Backbone, num_classes: int = 2) -> Network:
    """The network of that case, with default settings, around a backbone."""
    config = registry.load("networks", case.network).Config()
    return network_from(config, case.backbone, backbone, num_classes)


def settled(network: Network) -> Network:
    """The network in evaluation mode, as if its norms had seen data, those without weights too."""
    random = torch.Generator().manual_seed(1)
    for part in network.children():
        if isinstance(part, nn.BatchNorm2d) and not part.affine:
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_(0, 0.1, generator=random)
            part.running_var.uniform_(0.5, 1.5, generator=random)
        else:
            lived_in(part)
    return network.eval()
