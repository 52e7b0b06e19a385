"""Teachers: a network comes in, its running mean, which no optimiser touches, goes out."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["follow", "teacher_of"]

Module = TypeVar("Module", bound=nn.Module)


def teacher_of(module: Module) -> Module:
    """A copy without gradients, dropout and stochastic depth; its norms keep working as they do in training."""
    teacher = copy.deepcopy(module).requires_grad_(False)
    parts: Iterable[Any] = teacher.modules()
    for part in parts:
        if isinstance(part, _DropoutNd):
            part.p = 0.0
        elif hasattr(part, "drop_prob"):  # stochastic depth of timm, which takes seconds to import
            part.drop_prob = 0.0
    return teacher


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move the teacher's parameters `1 - momentum` of the way to the student's; each has its own norms' statistics."""
    pairs = zip(teacher.parameters(), student.parameters(), strict=True)
    behind, ahead = zip(*pairs, strict=True)
    torch._foreach_lerp_(list(behind), list(ahead), 1 - momentum)
