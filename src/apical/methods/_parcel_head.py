"""The head that cuts images into parcels (Majchrowska 2023): what a backbone sees comes in, scores of K parcels go out.

The paper looks at a transformer's last tokens. A convolutional net's last map is too coarse for that, so several maps
of its pyramid can be joined: each place is then normed level by level, and finer levels come at the finest one's size.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.config import Config
from apical.errors import ApicalError
from apical.networks._decoding import map_widths

__all__ = ["ParcelHead", "ParcelHeadConfig", "joined"]


TOKENS_AT_ONCE = 8192
"""On a CPU, so many stay in the cache from one layer to the next: a third less time."""


class ParcelHeadConfig(Config):
    """Settings of the parcels' head, by default those of the paper."""

    parcels: int = Field(default=64, ge=2)
    """K: the paper has 32, 64 and 112."""
    levels: tuple[int, ...] | None = None
    """Which maps of the backbone's pyramid are looked at, 0 the finest; null takes the last as it is."""
    norm: bool = False
    """A layer norm before each layer, as in the released code."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of each layer's outputs that training leaves out; the released code has 0.2."""


class ParcelHead(nn.Module):
    """A perceptron of three layers for each token by itself, with a way round the first two."""

    def __init__(self, backbone: Backbone, config: ParcelHeadConfig) -> None:
        super().__init__()
        self.config = config
        num_features = num_features_of(backbone, config.levels)
        widths = [num_features, num_features, config.parcels]
        self.norms = nn.ModuleList(
            nn.LayerNorm(num_features) if config.norm else nn.Identity() for _ in widths
        )
        self.layers = nn.ModuleList(nn.Linear(num_features, width) for width in widths)
        self.dropout = nn.Dropout(config.dropout)
        self.activations = nn.ModuleList([nn.GELU(), nn.ReLU()])
        for place, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            draw = nn.init.kaiming_uniform_ if place == 1 else nn.init.xavier_uniform_
            draw(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (..., K), before the softmax, of tokens (..., D)."""
        kind, rows = tokens.device.type, tokens.reshape(-1, tokens.shape[-1])
        if torch.is_autocast_enabled(kind):
            rows = rows.to(torch.get_autocast_dtype(kind))  # once, instead of before each layer
        at_once = TOKENS_AT_ONCE if kind == "cpu" else max(len(rows), 1)
        scores = torch.cat([self._scores(part) for part in torch.split(rows, at_once)])
        return scores.reshape(*tokens.shape[:-1], scores.shape[-1])

    def _scores(self, tokens: Tensor) -> Tensor:
        for norm, layer, activation in zip(self.norms, self.layers, self.activations, strict=False):
            tokens = activation(self.dropout(layer(norm(tokens)))) + tokens
        scores: Tensor = self.dropout(self.layers[-1](self.norms[-1](tokens)))
        return scores

    def seen(self, backbone: Backbone, images: Tensor) -> Tensor:
        """The map of features (B, D, h, w) that it looks at."""
        if self.config.levels is None:
            features: Tensor = backbone(images).map
            return features
        return joined(backbone, images, self.config.levels)

    def maps(self, features: Tensor) -> Tensor:
        """Maps of scores (B, K, h, w) of maps of features (B, D, h, w)."""
        scores: Tensor = self(features.movedim(1, -1))
        return scores.movedim(-1, 1)


def num_features_of(backbone: Backbone, levels: tuple[int, ...] | None) -> int:
    """D, of what is looked at; an error says so where the backbone has no such maps."""
    if levels is None:
        return backbone.num_features
    widths = map_widths(backbone)
    if not levels or not all(0 <= level < len(widths) for level in levels):
        raise ApicalError(
            f"This backbone's pyramid has {len(widths)} maps, 0 the finest",
            seen=f"levels {', '.join(map(str, levels)) or 'none'}",
            remedy="Set method.head.levels to some of them, or to null for the last alone.",
        )
    return sum(widths[level] for level in levels)


def joined(backbone: Backbone, images: Tensor, levels: tuple[int, ...]) -> Tensor:
    """Maps of the pyramid (B, D, h, w), normed place by place, at the size of the finest of them."""
    pyramid = backbone.pyramid(images)
    chosen = [pyramid[level].float() for level in levels]
    size = max(each.shape[-2:] for each in chosen)
    normed = [functional.layer_norm(each.movedim(1, -1), each.shape[1:2]).movedim(-1, 1) for each in chosen]
    return torch.cat([functional.interpolate(each, size, mode="bilinear") for each in normed], dim=1)
