"""How weights lie in memory: a module comes in; its kernels lie pixel by pixel, as convolutions of images like it."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["channels_last"]

Module = TypeVar("Module", bound=nn.Module)


@torch.no_grad()
def channels_last(module: Module) -> Module:
    """The module, its kernels over images and over clips laid out so."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
        elif tensor.ndim == 5 and tensor.shape[1] > 1:
            tensor.data = _over_clips(tensor.data)
    return module


def _over_clips(kernels: Tensor) -> Tensor:
    """Copied, since kernels of one pixel would keep other strides than their gradients have, and DDP wants the same."""
    return torch.empty_like(kernels, memory_format=torch.channels_last_3d).copy_(kernels)
