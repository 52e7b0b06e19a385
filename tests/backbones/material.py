"""What the tests of backbones work on: images, and nets whose norms have seen data.

With fresh norms, whose statistics are 0 and 1, many mistakes can't be seen.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


def lived_in(net: Net, seed: int = 0) -> Net:
    """The net in evaluation mode, its norms and biases moved away from where they start."""
    random = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1, generator=random)
            module.running_var.uniform_(0.5, 1.5, generator=random)
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.0, generator=random)
            nn.init.normal_(module.bias, 0, 0.1, generator=random)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.normal_(module.bias, 0, 0.1, generator=random)
    return net.eval()


def grey_images(*shape: int, seed: int = 5) -> torch.Tensor:
    """Images (B, 1, H, W) in [0, 1] of that shape."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
