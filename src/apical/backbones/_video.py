"""Nets over clips: torchvision's video residual nets for one grey channel. Images are clips of one frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones._foreign import Published, Scale, grey_stem
from apical.backbones.base import Backbone, BackboneConfig, Features

__all__ = ["KINETICS", "VideoResNet"]

KINETICS = Scale((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))
STEM = "net.stem.0.weight"


class _GreyStem(nn.Conv3d):
    """A convolution of clips (B, 1, T, H, W) that sees the frames around each one as the channels of an image.

    The sums are the same. Kernels for clips of one channel are several times slower, and those in bf16 make no numbers
    of a single frame on CPUs.
    """

    def forward(self, clips: Tensor) -> Tensor:
        """Maps (B, D, T, h, w), laid out pixel by pixel, which the convolutions behind it like."""
        depth, reach = self.kernel_size[0], int(self.padding[0])
        frames = functional.pad(clips[:, 0], (0, 0, 0, 0, reach, reach))
        around = frames.unfold(1, depth, 1).flatten(0, 1).contiguous().permute(0, 3, 1, 2)
        maps = functional.conv2d(around, self.weight[:, 0], None, self.stride[1:], self.padding[1:])
        return maps.reshape(clips.shape[0], clips.shape[2], *maps.shape[1:]).transpose(1, 2)


class VideoResNet(Backbone):
    """A stem and four stages, the last three of which halve time and place."""

    foreign: ClassVar[Mapping[str, Scale]] = {"kinetics": KINETICS}
    takes_clips = True
    build: ClassVar[Callable[..., Any]]
    """Torchvision's way to the net."""
    weights: ClassVar[Any]
    """Torchvision's entry of what Kinetics-400 taught it."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__(config)
        self.net = type(self).build(weights=None)
        stem = self.net.stem[0]
        self.net.stem[0] = _GreyStem(
            1, stem.out_channels, stem.kernel_size, stem.stride, stem.padding, bias=False
        )
        nn.init.kaiming_normal_(self.net.stem[0].weight, mode="fan_out", nonlinearity="relu")
        self.num_features = self.net.fc.in_features
        del self.net.fc, self.net.avgpool
        self.stride = 16

    def features(self, images: Tensor) -> Features:
        """The last map (B, D, t, h, w), or (B, D, h, w) of images, and its mean over all places and times (B, D)."""
        last = self._maps(images)[-1]
        return Features(vector=last.flatten(2).mean(dim=2), map=last)

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """The stem's map, and those of the four stages."""
        return self._maps(self.scaled(images))

    def _maps(self, images: Tensor) -> list[Tensor]:
        is_clip = images.ndim == 5
        latest = self.net.stem(images if is_clip else images[:, :, None])
        maps = [latest]
        for stage in (self.net.layer1, self.net.layer2, self.net.layer3, self.net.layer4):
            latest = stage(latest)
            maps.append(latest)
        return maps if is_clip else [each[:, :, 0] for each in maps]

    def published(self) -> Mapping[str, Published]:
        """What Kinetics-400 taught it, as torchvision gives it out."""
        url = type(self).weights.url

        def fetch() -> Path:
            path = Path(str(torch.hub.get_dir())) / "checkpoints" / str(url).rpartition("/")[2]
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(url, str(path), progress=False)
            return path

        name = url.rpartition("/")[2].removesuffix(".pth")
        return {"kinetics": Published(name=name, licence="BSD-3-Clause", url=url, fetch=fetch)}

    def adopted(self, tensors: Mapping[str, Tensor], scale: Scale) -> dict[str, Tensor]:
        """Tensors as torchvision names them, three channels in."""
        own = {f"net.{name}": tensor for name, tensor in tensors.items()}
        return grey_stem(own, scale, conv=STEM, absorber="net.stem.1.running_mean", sign=1)
