"""The moving average is the sum it stands for, and lends itself without a trace."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from apical.averages import Average, settled_decay
from apical.errors import ApicalError

DECAY = 0.9


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


def train(module: nn.Module, step: int) -> None:
    """As training does: weights change and statistics are counted."""
    random = torch.Generator().manual_seed(step)
    module(torch.rand(3, 1, 4, 4, generator=random))
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn(weight.shape, generator=random))


def averaged(steps: int) -> tuple[nn.Module, Average]:
    module = network(0)
    average = Average(module, DECAY)
    for step in range(steps):
        train(module, step)
        average.update(module, step)
    return module, average


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_weights_are_the_weighted_sum_of_all_steps() -> None:
    module = network(0)
    average, seen = Average(module, DECAY), [module.state_dict()["3.weight"].double().clone()]
    for step in range(5):
        train(module, step)
        average.update(module, step=1000)
        seen.append(module.state_dict()["3.weight"].double().clone())
    shares = [DECAY**5, *((1 - DECAY) * DECAY ** (5 - step) for step in range(1, 6))]
    expected = torch.stack([share * weight for share, weight in zip(shares, seen, strict=True)]).sum(dim=0)
    torch.testing.assert_close(average.state()["3.weight"].double(), expected, rtol=1e-5, atol=1e-6)


def test_statistics_are_averaged_as_the_weights_are_that_they_belong_to() -> None:
    module = network(0)
    average, before = Average(module, DECAY), module.state_dict()["1.running_mean"].clone()
    train(module, 0)
    average.update(module, step=1000)
    expected = before.lerp(module.state_dict()["1.running_mean"], 1 - DECAY)
    torch.testing.assert_close(average.state()["1.running_mean"], expected)


def test_counts_are_those_of_the_module() -> None:
    assert averaged(3)[1].state()["1.num_batches_tracked"] == 3


def test_a_young_average_forgets_sooner() -> None:
    decays = [settled_decay(0.99, step) for step in range(2000)]
    assert decays[0] == 0.1
    assert decays == sorted(decays)
    assert decays[-1] == 0.99


def test_it_is_the_same_every_time_to_the_bit() -> None:
    assert same(averaged(4)[1].state(), averaged(4)[1].state())


def test_it_is_no_view_of_the_module() -> None:
    module = network(0)
    average = Average(module, DECAY)
    train(module, 0)
    assert same(average.state(), network(0).state_dict())


def test_it_goes_on_from_its_state_to_the_bit() -> None:
    module, average = averaged(3)
    resumed = Average(network(7), DECAY)
    resumed.load({name: tensor.clone() for name, tensor in average.state().items()})
    train(module, 3)
    average.update(module, 3)
    resumed.update(module, 3)
    assert same(resumed.state(), average.state())


@pytest.mark.parametrize("change", ["none", "fewer", "shape"])
def test_a_state_of_other_weights_is_refused(change: str) -> None:
    state = {"none": {}, "fewer": averaged(0)[1].state(), "shape": averaged(0)[1].state()}[change]
    if change == "fewer":
        del state["3.bias"]
    if change == "shape":
        state["3.bias"] = torch.zeros(3)
    with pytest.raises(ApicalError, match="no average of these weights"):
        averaged(0)[1].load(state)


def test_the_module_has_the_average_within_and_its_own_weights_after() -> None:
    module, average = averaged(3)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with average.swapped(module):
        assert same(module.state_dict(), average.state())
        assert not torch.equal(module.state_dict()["3.weight"], before["3.weight"])
        train(module, 9)
    assert same(module.state_dict(), before)


def test_the_trained_weights_come_back_after_a_mishap() -> None:
    module, average = averaged(2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(ZeroDivisionError), average.swapped(module):
        raise ZeroDivisionError
    assert same(module.state_dict(), before)


def test_an_optimiser_goes_on_with_the_same_tensors() -> None:
    module, average = averaged(1)
    places = [weight.data_ptr() for weight in module.parameters()]
    with average.swapped(module):
        pass
    assert [weight.data_ptr() for weight in module.parameters()] == places
    assert all(weight.requires_grad for weight in module.parameters())
