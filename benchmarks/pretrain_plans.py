"""What `pretrain.py` measures: a size and a kind of device come in; cases, rounds and what we aim at go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pretrain_ours import Case

__all__ = ["AIMS", "Plan", "plan_of"]


@dataclass(frozen=True)
class _Aims:
    """How many times as fast as a rival, by how its name begins; and the input path's share of a step at most."""

    views: Mapping[str, float] = field(default_factory=lambda: {"lightly": 4, "torchvision": 20})
    steps: Mapping[str, float] = field(default_factory=lambda: {"lightly": 3})
    input_share: float = 0.1


AIMS = _Aims()


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    cases: tuple[Case, ...]
    compared: frozenset[str]
    """Backbones that rivals have too."""
    hearts: int
    rounds: int
    turn_seconds: float
    matmul_sides: tuple[int, ...]


def plan_of(size: str, is_gpu: bool) -> Plan:
    """The plan of this size; a GPU gets larger batches."""
    if size == "tiny":
        return Plan(
            cases=(
                Case("ResNet-18 at 32", {"name": "resnet18", "stride": 32}, 32, 4),
                Case("ViT at 16", {"name": "vit_small", "dim": 24, "depth": 1, "image_size": 16}, 16, 4),
            ),
            compared=frozenset({"resnet18"}),
            hearts=4,
            rounds=1,
            turn_seconds=0.01,
            matmul_sides=(64,),
        )
    return Plan(
        cases=_gpu_cases() if is_gpu else _cpu_cases(),
        compared=frozenset({"resnet18", "resnet50"}),
        hearts=16,
        rounds=5,
        turn_seconds=2.0,
        matmul_sides=(4096, 8192) if is_gpu else (512, 1024, 2048),
    )


def _cpu_cases() -> tuple[Case, ...]:
    return (
        Case("ResNet-50 at 224", {"name": "resnet50", "stride": 32}, 224, 16, least_share=0.35),
        Case("ResNet-18 at 112", {"name": "resnet18", "stride": 32}, 112, 32),
        Case("UNet encoder at 112", {"name": "unet_encoder"}, 112, 16),
        Case("ViT-S/8 at 112", {"name": "vit_small", "patch": 8}, 112, 16),
        Case("ViT-S/4 at 112", {"name": "vit_small", "patch": 4}, 112, 4),
    )


def _gpu_cases() -> tuple[Case, ...]:
    return (
        Case("ResNet-50 at 224", {"name": "resnet50", "stride": 32}, 224, 128, least_share=0.4),
        Case("ResNet-18 at 112", {"name": "resnet18", "stride": 32}, 112, 512),
        Case("UNet encoder at 112", {"name": "unet_encoder"}, 112, 128),
        Case("ViT-S/8 at 112", {"name": "vit_small", "patch": 8}, 112, 256, least_share=0.4),
        Case("ViT-S/4 at 112", {"name": "vit_small", "patch": 4}, 112, 64, least_share=0.4),
    )
