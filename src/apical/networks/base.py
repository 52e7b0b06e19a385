"""What a network is: grey images in [0, 1] go in; logits as high and wide as they are, or of the whole, come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from apical import registry
from apical.backbones.base import Backbone, BackboneConfig
from apical.config import PieceConfig
from apical.errors import ApicalError
from apical.networks._decoding import resized

__all__ = ["Gives", "Network", "NetworkConfig", "network_from", "networks_for"]

Gives = Literal["maps", "vectors"]
"""Whether an output lies at each pixel, or is one of the whole."""


class NetworkConfig(PieceConfig):
    """Settings of a network's decoder; its backbone has its own."""


class Network(nn.Module, ABC):
    """A backbone and the decoder that makes logits of what it sees."""

    Config: ClassVar[type[NetworkConfig]]
    gives: ClassVar[Gives] = "maps"
    """What its logits are of."""
    backbones: ClassVar[tuple[str, ...]]
    """Names of the backbones that it is built on."""
    default_backbone: ClassVar[Mapping[str, Any]]
    """Settings of the backbone that it has when nothing is said, as a recipe would give them."""
    strides: ClassVar[tuple[int, ...]] = ()
    """The strides of a backbone that it works with; none are named where all do."""
    stride_advice: ClassVar[str] = ""
    """Why other strides do not work: a sentence."""

    def __init__(self, config: NetworkConfig, backbone: Backbone, num_classes: int) -> None:
        super().__init__()
        self._refuse_stride(config, backbone.stride)
        self.config = config
        self.backbone = backbone
        self.num_classes = num_classes

    def _refuse_stride(self, config: NetworkConfig, stride: int) -> None:
        if self.strides and stride not in self.strides:
            raise ApicalError(
                f"The network '{config.name}' does not work on a backbone of stride {stride}",
                seen=self.stride_advice or None,
                remedy=f"Set backbone.stride={' or '.join(map(str, self.strides))}",
            )

    @abstractmethod
    def decoded(self, images: Tensor) -> Tensor:
        """The logits (B, K, h, w) of images (B, 1, H, W), as fine as the decoder makes them."""

    def forward(self, images: Tensor) -> Tensor:
        """The logits (B, K, H, W), in float32, of images (B, 1, H, W) with values in [0, 1]."""
        return resized(self.decoded(images).float(), images)

    @property
    def decoder_parameters(self) -> list[nn.Parameter]:
        """All parameters but the backbone's."""
        named = self.named_parameters()
        return [parameter for name, parameter in named if not name.startswith("backbone.")]


def networks_for(backbone: str, gives: Gives | None = None) -> list[str]:
    """Names of the networks that are built on the backbone of that name, and give what is wanted if that is said."""
    kinds = {name: registry.load("networks", name) for name in registry.names("networks")}
    return [
        name for name, kind in kinds.items() if backbone in kind.backbones and gives in (None, kind.gives)
    ]


def network_from(
    config: PieceConfig, backbone_config: BackboneConfig, backbone: Backbone, num_classes: int
) -> Network:
    """The network around `backbone`, which was built from its settings; an error names both if they do not fit.

    The decoder's weights are drawn from torch's generator.
    """
    kind = registry.load("networks", config.name)
    if backbone_config.name not in kind.backbones:
        raise _misfit(config.name, kind.backbones, backbone_config.name)
    network: Network = kind(config, backbone, num_classes)
    return network


def _misfit(network: str, backbones: tuple[str, ...], backbone: str) -> ApicalError:
    fitting = networks_for(backbone)
    other = f", or a network that is built on {backbone}: {', '.join(fitting)}" if fitting else ""
    return ApicalError(
        f"The network '{network}' is built on {' or '.join(backbones)}, not on {backbone}",
        remedy=f"Set backbone={' or '.join(backbones)}{other}",
    )
