"""What convolutional backbones share: their maps come in, the features and the pyramid go out."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from apical.backbones.base import Backbone, Features

__all__ = ["ConvolutionalBackbone"]


class ConvolutionalBackbone(Backbone):
    """A backbone that makes ever coarser maps, whose last one is pooled to the vector."""

    @abstractmethod
    def maps(self, images: Tensor) -> list[Tensor]:
        """Maps from the finest to the coarsest, of images whose scale is the one the first layer wants."""

    def features(self, images: Tensor) -> Features:
        """The last map (B, D, h, w), or (B, D, t, h, w) of clips, and its mean over all places and times (B, D)."""
        last = self.maps(images)[-1]
        return Features(vector=last.mean(tuple(range(2, last.ndim))), map=last)

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """All maps."""
        return self.maps(self.scaled(images))
