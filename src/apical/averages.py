"""An exponential moving average of a module's weights: the module comes in after each step, its average goes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from apical.errors import ApicalError

__all__ = ["Average", "settled_decay"]


def settled_decay(decay: float, step: int) -> float:
    """The decay at a step: a young average forgets sooner, so that it is not mostly what it started as."""
    return min(decay, (1 + step) / (10 + step))


class Average:
    """What has fractions (weights, and the statistics of norms) averaged over steps; counts are as they were last."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        """It starts as a copy of the module; `decay` is how much of it stays at each update, in the end."""
        self.decay = decay
        self._tensors = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the module's weights of now, after so many steps."""
        now = module.state_dict(keep_vars=True)
        averaged = [name for name, tensor in now.items() if tensor.is_floating_point()]
        copied = [name for name in now if not now[name].is_floating_point()]
        mine = [self._tensors[name] for name in averaged]
        torch._foreach_lerp_(mine, [now[name] for name in averaged], 1 - settled_decay(self.decay, step))
        for name in copied:
            self._tensors[name].copy_(now[name])

    def state(self) -> dict[str, Tensor]:
        """The average by the names of the module's `state_dict`."""
        return dict(self._tensors)

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take up where another average was."""
        if {name: tensor.shape for name, tensor in state.items()} != {
            name: tensor.shape for name, tensor in self._tensors.items()
        }:
            raise ApicalError(
                "This state holds no average of these weights", remedy="Resume with the run's own settings."
            )
        _copy(state, self._tensors)

    @contextmanager
    def swapped(self, module: nn.Module) -> Iterator[None]:
        """Within, the module has the average; afterwards what it had before."""
        place = module.state_dict()
        trained = {name: tensor.clone() for name, tensor in place.items()}
        _copy(self._tensors, place)
        try:
            yield
        finally:
            _copy(trained, place)


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, tensor in target.items():
        tensor.copy_(source[name])
