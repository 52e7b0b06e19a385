"""How weights lie in memory: a module comes in; its kernels lie pixel by pixel, as convolutions of images like it."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

__all__ = ["channels_last"]

Module = TypeVar("Module", bound=nn.Module)


@torch.no_grad()
def channels_last(module: Module) -> Module:
    """The module, its kernels over images laid out so; those over clips stay, as their gradients come the usual way."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return module
