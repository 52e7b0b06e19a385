"""Which arithmetic to train in: a wish and a device come in, Fabric's name of a precision goes out."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["Precision", "autocast", "gains_from_bf16", "resolve_precision"]

Precision = Literal["auto", "32", "bf16"]


def gains_from_bf16(device: torch.device) -> bool:
    """Whether bf16 autocast makes training faster there.

    On a CPU it does where AVX-512 or AMX multiplies bf16 itself: steps of a ResNet-50 took half the time with either.
    Elsewhere it is emulated, or has not been measured.
    """
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Every processor with AMX has this one too.
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def resolve_precision(wish: Precision, device: torch.device) -> Literal["32-true", "bf16-mixed"]:
    """The precision that is meant; auto takes bf16 autocast where the device gains from it."""
    is_mixed = gains_from_bf16(device) if wish == "auto" else wish == "bf16"
    return "bf16-mixed" if is_mixed else "32-true"


def autocast(wish: Precision, device: torch.device) -> torch.autocast:
    """A context for forward passes in the precision that is meant."""
    is_mixed = resolve_precision(wish, device) == "bf16-mixed"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_mixed)
