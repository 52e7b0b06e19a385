"""What every optimiser holds to, whoever wrote it: walks the folder."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from apical import registry
from apical.checkpoint import optimiser_state, read_tensors, restore_optimiser, write_tensors
from apical.optimisers.base import OptimiserConfig, parameter_groups

NAMES = registry.names("optimisers")


class Quadratic(nn.Module):
    """Weights of several shapes, one laid out channels last; the loss is their distance to a target."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        kernel = torch.randn(4, 3, 3, 3, generator=random).to(memory_format=torch.channels_last)
        self.kernel = nn.Parameter(kernel)
        self.matrix = nn.Parameter(torch.randn(5, 4, generator=random))
        self.bias = nn.Parameter(torch.randn(5, generator=random))

    def forward(self) -> Tensor:
        return torch.stack([((weight - 0.5) ** 2).sum() for weight in self.parameters()]).sum()


def build(name: str, module: nn.Module, **settings: Any) -> Optimizer:
    kind = registry.load("optimisers", name)
    config: OptimiserConfig = kind.Config(**settings)
    optimiser: Optimizer = kind.build(parameter_groups(module, config), config, config.lr)
    return optimiser


def take_steps(module: nn.Module, optimiser: Optimizer, steps: int) -> float:
    for _ in range(steps):
        optimiser.zero_grad()
        torch.autograd.backward(module())
        optimiser.step()
    return float(module().detach())


@pytest.mark.parametrize("name", NAMES)
def test_the_name_is_the_files(name: str) -> None:
    assert registry.load("optimisers", name).Config().name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_explained(name: str) -> None:
    fields = registry.load("optimisers", name).Config.model_fields
    assert not [field for field in fields if field != "name" and not fields[field].description]


@pytest.mark.parametrize("name", NAMES)
def test_a_few_steps_lower_the_loss(name: str) -> None:
    module = Quadratic()
    optimiser = build(name, module)
    assert take_steps(module, optimiser, 20) < take_steps(Quadratic(), optimiser, 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_learning_rate_and_weight_decay_stand_in_the_groups(name: str) -> None:
    """Where training turns them at every step."""
    decayed, spared = build(name, Quadratic(), lr=0.25, weight_decay=0.125).param_groups
    assert [decayed["lr"], spared["lr"]] == [0.25, 0.25]
    assert [decayed["weight_decay"], spared["weight_decay"]] == [0.125, 0.0]


@pytest.mark.parametrize("name", NAMES)
def test_a_learning_rate_of_0_stands_still(name: str) -> None:
    module, untouched = Quadratic(), Quadratic()
    optimiser = build(name, module)
    for group in optimiser.param_groups:
        group["lr"] = 0.0
    take_steps(module, optimiser, 3)
    assert all(torch.equal(*pair) for pair in zip(module.parameters(), untouched.parameters(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_without_a_gradient_stays(name: str) -> None:
    module = Quadratic()
    optimiser, before = build(name, module), module.matrix.detach().clone()
    torch.autograd.backward(module())
    module.matrix.grad = None
    optimiser.step()
    assert torch.equal(module.matrix, before)
    assert not torch.equal(module.bias, Quadratic().bias)


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_tensors_of_weights_and_plain_values(name: str) -> None:
    """Which is all that a checkpoint has room for."""
    module = Quadratic()
    optimiser = build(name, module)
    take_steps(module, optimiser, 2)
    state = optimiser.state_dict()
    assert set(state["state"]) <= {0, 1, 2}
    json.dumps(state["param_groups"], allow_nan=False)
    values = [value for entries in state["state"].values() for value in entries.values()]
    assert all(isinstance(value, Tensor | float | int | None) for value in values)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    whole = Quadratic()
    take_steps(whole, build(name, whole, weight_decay=0.01), 9)

    first = Quadratic()
    optimiser = build(name, first, weight_decay=0.01)
    take_steps(first, optimiser, 4)
    tensors, rest = optimiser_state(optimiser)
    write_tensors(tmp_path / "state.safetensors", tensors, rest)

    second = Quadratic(seed=1)
    second.load_state_dict(first.state_dict())
    resumed = build(name, second, weight_decay=0.01)
    restore_optimiser(resumed, *read_tensors(tmp_path / "state.safetensors"))
    take_steps(second, resumed, 5)
    pairs = zip(second.parameters(), whole.parameters(), strict=True)
    assert all(torch.equal(resumed_weight, weight) for resumed_weight, weight in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_dict_goes_on_bit_for_bit(name: str) -> None:
    first, second = Quadratic(), Quadratic(seed=1)
    optimiser = build(name, first)
    take_steps(first, optimiser, 3)
    second.load_state_dict(first.state_dict())
    resumed = build(name, second)
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    assert take_steps(first, optimiser, 3) == take_steps(second, resumed, 3)
    assert torch.equal(first.kernel, second.kernel)
