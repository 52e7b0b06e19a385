"""The numbers of each update, against its rule written out slowly in float64 with NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from apical import registry
from apical.config import read_config
from apical.errors import ApicalError
from apical.optimisers.base import parameter_groups
from apical.optimisers.sgd import SgdConfig

Array = npt.NDArray[np.float64]
Rule = Callable[..., Iterator[Array]]
STEPS = 12


def gradients(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(3).normal(size=(STEPS, *shape))


def start(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(4).normal(size=shape)


def followed(name: str, shape: tuple[int, ...], **settings: Any) -> Array:
    """Where the piece takes a weight along the given gradients; every learning rate is used as it is set."""
    kind = registry.load("optimisers", name)
    config = kind.Config(**settings)
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.tensor(start(shape), dtype=torch.float64))
    optimiser = kind.build(parameter_groups(module, config), config, config.lr)
    for gradient in gradients(shape):
        module.weight.grad = torch.tensor(gradient)
        optimiser.step()
    result: Array = module.weight.detach().numpy()
    return result


def adam(weight: Array, lr: float, decay: float, beta1: float, beta2: float, eps: float, own: bool) -> Array:
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    for step, gradient in enumerate(gradients(weight.shape), start=1):
        if own:
            weight = weight - lr * decay * weight
        else:
            gradient = gradient + decay * weight
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        unbiased = mean / (1 - beta1**step), square / (1 - beta2**step)
        weight = weight - lr * unbiased[0] / (np.sqrt(unbiased[1]) + eps)
    return weight


@pytest.mark.parametrize(("name", "own"), [("adam", False), ("adamw", True)])
def test_adam_follows_its_paper(name: str, own: bool) -> None:
    settings = {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6}
    expected = adam(start((4, 3)), 0.01, 0.1, 0.8, 0.95, 1e-6, own)
    np.testing.assert_allclose(followed(name, (4, 3), weight_decay=0.1, **settings), expected, rtol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_sums_gradients_up(nesterov: bool) -> None:
    weight, speed = start((4, 3)), np.zeros((4, 3))
    for gradient in gradients((4, 3)):
        pull = gradient + 0.1 * weight
        speed = 0.8 * speed + pull
        weight = weight - 0.05 * (pull + 0.8 * speed if nesterov else speed)
    ours = followed("sgd", (4, 3), lr=0.05, momentum=0.8, nesterov=nesterov, weight_decay=0.1)
    np.testing.assert_allclose(ours, weight, rtol=1e-12)


def test_lars_makes_steps_fit_the_length_of_the_weights() -> None:
    weight, speed = start((4, 3)), np.zeros((4, 3))
    for gradient in gradients((4, 3)):
        length = np.linalg.norm(weight)
        rate = 0.02 * length / (np.linalg.norm(gradient) + 0.1 * length)
        speed = 0.8 * speed + rate * (gradient + 0.1 * weight)
        weight = weight - 2.0 * speed
    ours = followed("lars", (4, 3), lr=2.0, momentum=0.8, trust=0.02, weight_decay=0.1)
    np.testing.assert_allclose(ours, weight, rtol=1e-12)


def test_lars_moves_biases_as_plain_descent_does() -> None:
    """Neither scaled nor decayed, whatever is asked."""
    weight, speed = start((5,)), np.zeros(5)
    for gradient in gradients((5,)):
        speed = 0.8 * speed + gradient
        weight = weight - 0.05 * speed
    ours = followed("lars", (5,), lr=0.05, momentum=0.8, weight_decay=0.1, decays_all=True)
    np.testing.assert_allclose(ours, weight, rtol=1e-12)


def test_lars_moves_weights_that_are_all_nothing() -> None:
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.zeros(3, 2))
    kind = registry.load("optimisers", "lars")
    optimiser = kind.build(parameter_groups(module, kind.Config()), kind.Config(), 0.5)
    module.weight.grad = torch.ones(3, 2)
    optimiser.step()
    assert torch.equal(module.weight, torch.full((3, 2), -0.5))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 1e-2])
def test_madgrad_follows_its_paper(momentum: float, decay: float) -> None:
    """Algorithm 1 of Defazio & Jelassi 2021, with the authors' eps in the learning rate."""
    origin, eps = start((4, 3)), 1e-6
    weight, total, squares = origin, np.zeros((4, 3)), np.zeros((4, 3))
    for step, gradient in enumerate(gradients((4, 3))):
        rate = (1e-2 + eps) * np.sqrt(step + 1)
        pull = gradient + decay * weight
        total = total + rate * pull
        squares = squares + rate * pull**2
        target = origin - total / (np.cbrt(squares) + eps)
        weight = momentum * weight + (1 - momentum) * target
    ours = followed("madgrad", (4, 3), lr=1e-2, momentum=momentum, weight_decay=decay)
    np.testing.assert_allclose(ours, weight, rtol=1e-9)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ApicalError, match="Give momentum a value above 0"):
        read_config(SgdConfig, overrides=["nesterov=true", "momentum=0"])


def test_the_learning_rate_is_for_a_batch_size() -> None:
    kind = registry.load("optimisers", "lars")
    assert kind.Config(lr=0.3, lr_per=256).peak_lr(64) == pytest.approx(0.075)
    assert kind.Config(lr=0.3, lr_per=None).peak_lr(64) == 0.3


@pytest.mark.parametrize(("decays_all", "spared"), [(False, 2), (True, 0)])
def test_biases_and_norms_are_spared_unless_told(decays_all: bool, spared: int) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    module[1].bias.requires_grad_(False)
    config = SgdConfig(weight_decay=0.1, decays_all=decays_all)
    groups = {group["weight_decay"]: len(group["params"]) for group in parameter_groups(module, config)}
    assert groups.get(0.0, 0) == spared
    assert sum(groups.values()) == 3  # what is frozen is in none
