"""R(2+1)D-18: grey clips go in, 512 features come out; place first, then time (Tran 2018)."""

from __future__ import annotations

from typing import Literal

from torchvision.models import video

from apical.backbones._video import VideoResNet
from apical.backbones.base import BackboneConfig

__all__ = ["R2Plus1D18"]


class R2Plus1D18Config(BackboneConfig):
    """Settings of R(2+1)D-18."""

    name: Literal["r2plus1d_18"] = "r2plus1d_18"


class R2Plus1D18(VideoResNet):
    """R(2+1)D-18, D = 512: the net of EchoNet-Dynamic's ejection fractions."""

    Config = R2Plus1D18Config
    build = staticmethod(video.r2plus1d_18)
    weights = video.R2Plus1D_18_Weights.KINETICS400_V1
