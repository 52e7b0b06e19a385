"""R3D-18: grey clips go in, 512 features come out; every kernel spans time and place (Tran 2018)."""

from __future__ import annotations

from typing import Literal

from torchvision.models import video

from apical.backbones._video import VideoResNet
from apical.backbones.base import BackboneConfig

__all__ = ["R3D18"]


class R3D18Config(BackboneConfig):
    """Settings of R3D-18."""

    name: Literal["r3d_18"] = "r3d_18"


class R3D18(VideoResNet):
    """R3D-18, D = 512: the net of Holste 2024."""

    Config = R3D18Config
    build = staticmethod(video.r3d_18)
    weights = video.R3D_18_Weights.KINETICS400_V1
