"""A light decoder for a vision transformer: tokens say what is where, and the image itself where its edges are.

Its steps up are those of SETR's progressive decoder (Zheng 2021); UNETR, too, has a branch on the image
(Hatamizadeh 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.networks._decoding import as_fine_as, classifier, norm_convolution, whole_places
from apical.networks.base import Network, NetworkConfig

__all__ = ["TokenDecoder"]


class TokenDecoderConfig(NetworkConfig):
    """Settings of the tokens' decoder."""

    name: Literal["token_decoder"] = "token_decoder"
    width: int = Field(default=128, ge=16)
    """Features that a token keeps; halved with every step up."""
    edge_width: int = Field(default=8, gt=0)
    """Features of the image itself at full size; twice as many at half size."""


class TokenDecoder(Network):
    """Tokens are doubled up to half the image's size, and joined with the image's own edges there and at full size."""

    Config = TokenDecoderConfig
    backbones: ClassVar[tuple[str, ...]] = ("vit_small",)
    default_backbone: ClassVar[Mapping[str, Any]] = {"name": "vit_small"}

    def __init__(self, config: TokenDecoderConfig, backbone: Backbone, num_classes: int) -> None:
        super().__init__(config, backbone, num_classes)
        num_steps = backbone.stride.bit_length() - 2  # from a place of `stride` pixels to one of two
        widths = [config.width >> step for step in range(num_steps + 1)]
        edges, last = config.edge_width, widths[-1]
        self.narrowed = nn.Conv2d(backbone.num_features, config.width, 1)
        self.steps = nn.ModuleList(map(norm_convolution, widths[:-1], widths[1:]))
        self.edges = norm_convolution(1, edges)
        self.half_edges = norm_convolution(edges, 2 * edges, stride=2)
        self.half_join = norm_convolution(last + 2 * edges, last)
        self.join = norm_convolution(last + edges, 2 * edges)
        self.classifier = classifier(2 * edges, num_classes)

    def decoded(self, images: Tensor) -> Tensor:
        """The logits (B, K, H, W); patches that the image does not fill are filled with black."""
        whole = whole_places(images, self.backbone.stride)
        edges = self.edges(self.backbone.scaled(whole))
        half_edges = self.half_edges(edges)
        half = self.half_join(torch.cat([half_edges, self.half_sized(self.backbone(whole).map)], 1))
        full = self.join(torch.cat([edges, as_fine_as(half, edges)], 1))
        logits: Tensor = self.classifier(full)
        return logits[..., : images.shape[-2], : images.shape[-1]]

    def half_sized(self, tokens: Tensor) -> Tensor:
        """The map of tokens (B, D, h, w), each normed, at half the image's size (B, d, H/2, W/2)."""
        normed = functional.layer_norm(tokens.permute(0, 2, 3, 1), tokens.shape[1:2]).permute(0, 3, 1, 2)
        latest: Tensor = self.narrowed(normed)
        for step in self.steps:
            latest = step(functional.interpolate(latest, scale_factor=2, mode="nearest-exact"))
        return latest
