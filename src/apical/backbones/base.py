"""What a backbone is: grey images in [0, 1] go in, a vector and a map of features come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from apical.backbones._foreign import Published, Scale
from apical.config import PieceConfig
from apical.errors import ApicalError

__all__ = ["Backbone", "BackboneConfig", "Features"]


class BackboneConfig(PieceConfig):
    """Settings that every backbone has."""

    input_mean: float = 0.0
    """Taken from every pixel, which lies in [0, 1], before the first layer."""
    input_std: float = Field(default=1.0, gt=0)
    """What is left is divided by this."""


class Features(NamedTuple):
    """What a backbone sees in a batch of images."""

    vector: Tensor
    """(B, D): the pooled map of a convolutional net, the class token of a transformer."""
    map: Tensor
    """(B, D, h, w) for images, (B, D, t, h, w) for clips."""


class Backbone(nn.Module, ABC):
    """An encoder for one-channel input. Its input scale is a buffer, so that preprocessing travels with the weights."""

    Config: ClassVar[type[BackboneConfig]]
    foreign: ClassVar[Mapping[str, Scale]] = {}
    """Kinds of weights that others make for it, such as `imagenet`, and the scale of the images they made them with."""
    takes_clips: bool = False
    """Whether it looks at the frames of a clip together; else it looks at each by itself."""
    smallest: int = 1
    """The fewest pixels that a side of an image may have."""
    num_features: int
    """D, of the vector and of the map."""
    stride: int
    """Pixels of the input to one place of the map."""
    input_mean: Tensor
    input_std: Tensor

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.register_buffer("input_mean", torch.tensor(config.input_mean))
        self.register_buffer("input_std", torch.tensor(config.input_std))

    def forward(self, images: Tensor) -> Features:
        """The features of images (B, 1, H, W), or clips (B, 1, T, H, W), with values in [0, 1]."""
        if images.ndim == 5 and not self.takes_clips:
            return self._frame_by_frame(images)
        return self.features(self.scaled(images))

    def _frame_by_frame(self, clips: Tensor) -> Features:
        """A clip's vector is the mean of its frames', whatever their order; its map is that of each frame."""
        B, _, T, H, W = clips.shape
        vectors, maps = self.features(self.scaled(clips.transpose(1, 2).reshape(B * T, 1, H, W)))
        return Features(
            vector=vectors.reshape(B, T, -1).mean(dim=1),
            map=maps.reshape(B, T, *maps.shape[1:]).transpose(1, 2),
        )

    def scaled(self, images: Tensor) -> Tensor:
        """The images with the scale that the first layer wants."""
        if min(images.shape[-2:]) < self.smallest:
            raise ApicalError(
                "An image or view is too small for this backbone",
                seen=f"{images.shape[-2]}×{images.shape[-1]} pixels",
                remedy=f"Make every side {self.smallest} pixels or more.",
            )
        return (images - self.input_mean) / self.input_std

    @abstractmethod
    def features(self, images: Tensor) -> Features:
        """The features of images whose scale is the one the first layer wants."""

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Maps from the finest to the coarsest, for decoders; the last is `forward(images).map`."""
        return [self(images).map]

    def published(self) -> Mapping[str, Published]:
        """Weights that anyone can fetch for a net of just this shape, by kind."""
        return {}

    def adopted(self, tensors: Mapping[str, Tensor], scale: Scale) -> dict[str, Tensor]:  # noqa: ARG002
        """Tensors of the same net as others name and shape them, made for `scale`, as this backbone has them."""
        return dict(tensors)

    def resized(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of such a backbone for images of another size, as this one has them."""
        return dict(tensors)
