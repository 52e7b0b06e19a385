"""Multi-instance SimCLR (Holste et al. 2024): clips of two videos of one study find each other among all others.

It is SimCLR on other samples: what two videos of a patient share is the heart, not the picture. Other samples of the
same patient are no negatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from apical.methods.simclr import SimCLR, SimCLRConfig

__all__ = ["MISimCLR", "MISimCLRConfig", "clip_views"]

PAD = 8 / 112
"""How far the paper moves its clips of 112 pixels."""


class MISimCLRConfig(SimCLRConfig):
    """Settings of multi-instance SimCLR, by default those of Holste et al. 2024."""

    name: Literal["mi_simclr"] = "mi_simclr"  # type: ignore[assignment]
    temperature: float = Field(default=0.05, gt=0)
    """What similarities are divided by: the lower, the more the nearest negatives count."""
    hidden_features: int | None = Field(default=256, gt=0)
    """Features between the projector's layers; null takes as many as the backbone has."""


class MISimCLR(SimCLR):
    """SimCLR whose two views are of two videos."""

    Config: ClassVar[type[SimCLRConfig]] = MISimCLRConfig
    defaults: ClassVar[Mapping[str, Any]] = {
        "backbone": {"name": "r3d_18"},
        "sampling": {"name": "study_pairs", "frames": 4, "stride": 1},
        "optimiser": {"name": "adamw", "lr": 1e-3, "weight_decay": 1e-4},
        "batch_size": 64,
    }

    @classmethod
    def default_views(cls, size: int) -> Mapping[str, Any]:
        """Two views, each of one of the sample's clips."""
        del size
        return clip_views()


def clip_views() -> Mapping[str, Any]:
    """Settings of `pair` for clips: all frames of one are moved, turned and changed alike.

    Moved and turned as in the paper. Gain and contrast are changed as well, which it does not: machines differ in them.
    """
    place = {"zoom": [1.0, 1.0], "shift": PAD, "rotation_degrees": 10.0, "flip_probability": 0.5}
    changes = {"contrast": {"brightness": 0.3, "contrast": 0.3, "probability": 0.8}}
    return {"pair": {"count": 2, "size": None, "place": place, "augmentations": changes}}
