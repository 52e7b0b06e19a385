"""Several processes as if they were one: tensors of this process come in, those of all processes go out.

A loss is the mean over its batch, the processes have equal parts of the batch, and their gradients are averaged. With
what stands here, the averaged gradients are those of one process that has the whole batch.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["SynchronisedBatchNorm", "gather", "mean_over_processes", "rank_and_world", "sync_batch_norms"]

Module = TypeVar("Module", bound=nn.Module)


def rank_and_world() -> tuple[int, int]:
    """The number of this process, and how many there are."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def gather(tensor: Tensor) -> Tensor:
    """The processes' tensors (B, ...), all of one shape, laid end to end: (processes B, ...), with a gradient."""
    if rank_and_world()[1] == 1:
        return tensor
    gathered: Tensor = _Gather.apply(tensor)
    return gathered


@torch.no_grad()
def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean of the processes' tensors, without a gradient."""
    return gather(tensor[None]).mean(dim=0)


def sync_batch_norms(module: Module) -> Module:
    """Put `SynchronisedBatchNorm` in the place of each batch norm within `module`; names and tensors stay."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm):
                setattr(parent, name, SynchronisedBatchNorm(child))
    return module


class SynchronisedBatchNorm(_BatchNorm):
    """Batch norm of (B, C, ...) with the statistics of all processes' samples, on any device.

    It takes over the tensors, settings and hooks of an ordinary batch norm, and does the same as that one while there
    is but one process, or in evaluation.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__(norm.num_features)
        self.__dict__.update(norm.__dict__)

    def forward(self, images: Tensor) -> Tensor:
        """The normalised images; timm's norms have an activation as a child, which follows."""
        world = rank_and_world()[1]
        together = self.training and world > 1
        normalised = self._normalised(images, world) if together else super().forward(images)
        for after in self.children():
            normalised = after(normalised)
        return normalised

    def _check_input_dim(self, images: Tensor) -> None:
        assert images.ndim >= 2

    def _normalised(self, images: Tensor, world: int) -> Tensor:
        mean, variance = _statistics(images)
        count = images.numel() // images.shape[1] * world
        self._track(mean, variance * (count / (count - 1)))
        normalised: Tensor = _Normalise.apply(images, self.weight, self.bias, mean, variance, self.eps, count)
        return normalised

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


@torch.no_grad()
def _statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) over all processes' samples; float32 also where images are of half precision."""
    others = [axis for axis in range(images.ndim) if axis != 1]
    wide = images.to(torch.promote_types(images.dtype, torch.float32))
    variance, mean = torch.var_mean(wide, others, correction=0)
    means, variances = gather(torch.stack([mean, variance])[None]).unbind(dim=1)
    return means.mean(dim=0), variances.mean(dim=0) + means.var(dim=0, correction=0)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        del ctx
        _, world = rank_and_world()
        gathered = tensor.new_empty(world * tensor.shape[0], *tensor.shape[1:])
        distributed.all_gather_into_tensor(gathered, tensor.contiguous())
        return gathered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """What all processes' losses say of this process's part."""
        del ctx
        rank, world = rank_and_world()
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(world)[rank]


class _Normalise(torch.autograd.Function):
    """Normalisation by statistics that themselves come from all processes' images (Ioffe and Szegedy 2015)."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        eps: float,
        count: int,
    ) -> Tensor:
        ctx.save_for_backward(images, weight, mean, variance)
        ctx.eps, ctx.count = eps, count
        return functional.batch_norm(images, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """First as if the statistics were constants, which also gives the sums that the rest is made of."""
        images, weight, mean, variance = ctx.saved_tensors
        slope = torch.rsqrt(variance + ctx.eps)
        direct, along, level = torch.ops.aten.native_batch_norm_backward(
            gradient, images, weight, mean, variance, mean, slope, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack([level, along]).to(mean.dtype)
        distributed.all_reduce(sums)
        mean_level, mean_along = sums / ctx.count
        scale = slope if weight is None else slope * weight
        by_channel = torch.stack([mean, scale * mean_level, scale * slope * mean_along])
        middle, offset, tilt = by_channel.reshape(3, 1, -1, *[1] * (images.ndim - 2))
        through_statistics = torch.addcmul(offset, tilt, images - middle)
        is_affine = weight is not None
        return (
            (direct - through_statistics).to(images.dtype),
            along if is_affine else None,
            level if is_affine else None,
            *[None] * 4,
        )
