"""What training needs to go on: it is gathered from a trainer into one file, and put back into another trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from apical.averages import Average
from apical.checkpoint import optimiser_state, read_about, read_tensors, restore_optimiser, write_tensors
from apical.errors import ApicalError

__all__ = ["Shelf", "State", "Trained"]

MODEL = "model."
AVERAGE = "average."


@dataclass(frozen=True)
class State:
    """The plain part: how far training is. All else that changes is a function of the step."""

    step: int = 0
    seconds: float = 0.0
    """Of training so far, over all starts."""
    low_steps: int = 0
    """Steps in a row that looked collapsed."""
    best: Mapping[str, float] = field(default_factory=dict)
    """The figures of the best checkpoint."""

    def after(self, **changes: object) -> State:
        """The same state but for these changes."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Trained:
    """The part with tensors."""

    model: nn.Module
    optimiser: Optimizer
    average: Average | None


@dataclass(frozen=True)
class Shelf:
    """Where a run's checkpoints are."""

    resume: Path
    last: Path
    best: Path

    def save(self, trained: Trained, state: State) -> None:
        """Keep everything that is needed to go on; weights that are no longer numbers are not kept."""
        tensors = {MODEL + name: tensor for name, tensor in trained.model.state_dict().items()}
        _refuse_broken(tensors, state.step)
        if trained.average is not None:
            tensors.update({AVERAGE + name: tensor for name, tensor in trained.average.state().items()})
        moments, rest = optimiser_state(trained.optimiser)
        write_tensors(self.resume, {**tensors, **moments}, {"state": asdict(state), "optimiser": rest})

    @property
    def step(self) -> int:
        """The step that the saved state is from; 0 where nothing was saved."""
        return _state(read_about(self.resume), self.resume).step if self.resume.is_file() else 0

    def load(self, trained: Trained) -> State:
        """Put back what was saved; the beginning, where nothing was."""
        if not self.resume.is_file():
            return State()
        tensors, about = read_tensors(self.resume)
        try:
            trained.model.load_state_dict(_below(MODEL, tensors))
            restore_optimiser(trained.optimiser, tensors, about["optimiser"])
        except (RuntimeError, ValueError, KeyError):
            raise ApicalError(
                "This state is of another method or network",
                where=str(self.resume),
                remedy="Resume with the run's own settings (leave out the recipe and overrides), or take a new --out.",
            ) from None
        if trained.average is not None:
            trained.average.load(_below(AVERAGE, tensors))
        return _state(about, self.resume)


def _state(about: Mapping[str, Any], path: Path) -> State:
    try:
        return State(**about["state"])
    except (KeyError, TypeError):
        raise ApicalError(
            "This is no state that training can go on from",
            where=str(path),
            remedy="Put the run's own file back, or train again into another folder.",
        ) from None


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _refuse_broken(tensors: Mapping[str, Tensor], step: int) -> None:
    floats = [tensor for tensor in tensors.values() if tensor.is_floating_point()]
    if not bool(torch.stack([torch.isfinite(tensor).all() for tensor in floats]).all()):
        raise ApicalError(
            f"Some weights were not finite numbers after step {step}, so training has stopped",
            remedy="Lower the learning rate, or set clip_norm=1 or precision=32. The last checkpoint is from before.",
        )
