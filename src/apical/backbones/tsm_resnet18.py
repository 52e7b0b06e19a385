"""ResNet-18 with temporal shift: a net over images that sees motion at no cost (Lin 2019).

Before the first convolution of each block an eighth of the features comes from the frame before, and another eighth
from the frame after. So it has the weights and the arithmetic of ResNet-18, a fifth of R3D-18's, frame for frame.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from apical.backbones._resnet import ResNet, ResNetConfig

__all__ = ["TSMResNet18", "shifted"]


class TSMResNet18Config(ResNetConfig):
    """Settings of ResNet-18 with temporal shift."""

    name: Literal["tsm_resnet18"] = "tsm_resnet18"
    stride: Literal[8, 16, 32] = 32
    """Pixels to one place of the map: below 32 the last stages widen their kernels' reach instead of striding."""
    share: float = Field(default=0.125, gt=0, le=0.5)
    """Share of the features that comes from the frame before, and from the frame after."""


class TSMResNet18(ResNet):
    """ResNet-18 over clips, D = 512. Images are clips of one frame, of which nothing is shifted."""

    Config = TSMResNet18Config
    timm_name = "resnet18"
    takes_clips = True

    def __init__(self, config: TSMResNet18Config) -> None:
        super().__init__(config)
        self._shifts = [_shift_before(block, config.share) for block in self._blocks()]

    def maps(self, images: Tensor) -> list[Tensor]:
        """As of an image; of clips, with the frames at the third place."""
        if images.ndim == 4:
            return self._maps_of_frames(images, 1)
        B, _, T, H, W = images.shape
        maps = self._maps_of_frames(images.transpose(1, 2).reshape(B * T, 1, H, W), T)
        return [each.reshape(B, T, *each.shape[1:]).transpose(1, 2) for each in maps]

    def _maps_of_frames(self, frames: Tensor, count: int) -> list[Tensor]:
        """Maps of frames (B T, 1, H, W), `count` of which make a clip."""
        for shift in self._shifts:
            shift.frames = count
        return super().maps(frames)

    def _blocks(self) -> list[nn.Module]:
        net = self.net
        return [block for stage in (net.layer1, net.layer2, net.layer3, net.layer4) for block in stage]


class _Shift:
    """What a block's first convolution does to its input; it is told how many frames a clip has."""

    def __init__(self, share: float) -> None:
        self.share, self.frames = share, 1

    def __call__(self, module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        del module
        return (shifted(inputs[0], self.frames, self.share),) if self.frames > 1 else None


def _shift_before(block: nn.Module, share: float) -> _Shift:
    """A hook rather than a module around the convolution, so that weights have the names of ResNet-18's."""
    shift = _Shift(share)
    block.conv1.register_forward_pre_hook(shift)  # type: ignore[union-attr]
    return shift


def shifted(maps: Tensor, frames: int, share: float) -> Tensor:
    """Maps (B T, D, h, w) in which some features are those of the frame before or after, and 0 beyond the clip."""
    clips = maps.reshape(-1, frames, *maps.shape[1:])
    count = int(maps.shape[1] * share)
    moved = torch.zeros_like(clips)
    moved[:, 1:, :count] = clips[:, :-1, :count]
    moved[:, :-1, count : 2 * count] = clips[:, 1:, count : 2 * count]
    moved[:, :, 2 * count :] = clips[:, :, 2 * count :]
    return moved.flatten(0, 1)
