"""Two processes against one: with half of the batch each, they must end where one process with all of it does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from apical import registry
from apical.gathering import (
    SynchronisedBatchNorm,
    gather,
    mean_over_processes,
    rank_and_world,
    sync_batch_norms,
)
from apical.methods.base import Method
from tests.methods.tiny import FIRST, SIZE, Tiny, noise, part_of

WORLD = 2
METHODS = ("simclr", "byol", "dino")


class NormAndActivation(nn.BatchNorm2d):
    """A norm whose activation is its child, as timm has them."""

    def __init__(self) -> None:
        super().__init__(3)
        self.act = nn.SiLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        activated: Tensor = self.act(super().forward(images))
        return activated


NORMS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "vectors": (lambda: nn.BatchNorm1d(3), (6, 3)),
    "sequences": (lambda: nn.BatchNorm1d(3), (6, 3, 5)),
    "images": (lambda: nn.BatchNorm2d(3), (6, 3, 4, 5)),
    "clips": (lambda: nn.BatchNorm3d(3), (6, 3, 2, 4, 5)),
    "one sample each": (lambda: nn.BatchNorm1d(3), (2, 3)),
    "without weights": (lambda: nn.BatchNorm2d(3, affine=False), (6, 3, 4, 5)),
    "without tracking": (lambda: nn.BatchNorm2d(3, track_running_stats=False), (6, 3, 4, 5)),
    "cumulative": (lambda: nn.BatchNorm2d(3, momentum=None), (6, 3, 4, 5)),
    "with activation": (NormAndActivation, (6, 3, 4, 5)),
}
"""By what is special: a batch norm, and the shape of the whole batch."""

Results = dict[str, Any]


def norm_and_batch(name: str) -> tuple[nn.Sequential, Tensor, Tensor]:
    """The norm, images that are far from normalised, and what each number of the output counts."""
    make, shape = NORMS[name]
    random = torch.Generator().manual_seed(2)
    norm = nn.Sequential(make())
    for weight in norm.parameters():
        nn.init.uniform_(weight, 0.5, 2, generator=random)
    images, factors = torch.randn(2, *shape, generator=random)
    return norm, images * 3 + torch.arange(len(images)).reshape(-1, *[1] * (len(shape) - 1)), factors


def normalised(norm: nn.Module, images: Tensor, factors: Tensor) -> Results:
    """What comes of two steps; a loss is a mean over the batch, gradients are averaged over processes."""
    for _ in range(2):
        images = images.detach().clone().requires_grad_()
        norm.zero_grad()
        output = norm(images)
        torch.autograd.backward((output.float() * factors).mean())
    world = rank_and_world()[1]
    assert images.grad is not None
    return {
        "output": output.detach(),
        "gradient": images.grad / world,
        "weights": [
            mean_over_processes(weight.grad) for weight in norm.parameters() if weight.grad is not None
        ],
        "state": norm.state_dict(),
    }


def method_named(name: str) -> Method:
    torch.manual_seed(0)
    kind: type[Method] = registry.load("methods", name)
    smaller = {field: 32 for field in ("hidden_features", "prototypes") if field in kind.Config.model_fields}
    return kind(kind.Config.model_validate({"name": name, **smaller}), Tiny())


@torch.no_grad()
def descend(method: Method) -> None:
    """Plain descent: the first step of any of torch's optimisers imports its compiler, which takes seconds."""
    for weight in method.parameters():
        if weight.grad is not None:
            weight.sub_(weight.grad, alpha=0.1)


def trained(name: str) -> Results:
    """A method after two steps of plain descent, on this process's part of the batch."""
    rank, world = rank_and_world()
    method = method_named(name)
    batch = part_of(noise(method.default_views(SIZE), samples=12, patients=5), rank, world)
    wrapped: nn.Module = method
    if world > 1:
        wrapped = DistributedDataParallel(sync_batch_norms(method))
    losses = []
    for step in range(2):
        method.zero_grad()
        figures = wrapped(batch, FIRST.after(step))
        figures["loss"].backward()
        losses.append({key: mean_over_processes(figures[key]) for key in figures if key != "spread"})
        descend(method)
        method.after_step(FIRST.after(step))
    return {"losses": losses, "state": method.state_dict()}


def gathered() -> Results:
    rank, world = rank_and_world()
    mine = (torch.arange(6.0).reshape(3, 2) + 10 * rank).requires_grad_()
    everything = gather(mine)
    factors = torch.arange(12.0 * world / WORLD).reshape(-1, 2) * (rank + 1)
    torch.autograd.backward((everything * factors).sum())
    return {
        "place": (rank, world),
        "values": everything.detach(),
        "gradient": mine.grad,
        "numbers": gather(torch.tensor([rank])),
        "mean": mean_over_processes(torch.tensor([1.0, 2.0]) * rank),
        "scalar": mean_over_processes(torch.tensor(float(rank))),
    }


def work(rank: int, folder: Path) -> None:
    """All that two processes do together, done by one of them."""
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=WORLD)
    results: Results = {"gather": gathered()}
    for name in NORMS:
        norm, images, factors = norm_and_batch(name)
        parts = images.chunk(WORLD)[rank], factors.chunk(WORLD)[rank]
        results[name] = normalised(sync_batch_norms(norm), *parts)
    norm, images, factors = norm_and_batch("images")
    half = images.bfloat16().contiguous(memory_format=torch.channels_last).chunk(WORLD)[rank]
    results["half"] = normalised(sync_batch_norms(norm), half, factors.chunk(WORLD)[rank])
    results.update({name: trained(name) for name in METHODS})
    torch.save(results, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("pair")
    spawn(work, (folder,), nprocs=WORLD)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


def laid_end_to_end(pair: list[Results], name: str, key: str) -> Tensor:
    return torch.cat([results[name][key] for results in pair])


def test_gather_lays_the_processes_end_to_end_and_sums_their_gradients(pair: list[Results]) -> None:
    first, second = (results["gather"] for results in pair)
    expected = torch.cat([torch.arange(6.0), torch.arange(6.0) + 10]).reshape(6, 2)
    factors = torch.arange(12.0).reshape(6, 2) * (1 + 2)
    assert (first["place"], second["place"]) == ((0, 2), (1, 2))
    assert first["values"].equal(expected)
    assert second["values"].equal(expected)
    assert torch.cat([first["gradient"], second["gradient"]]).equal(factors)
    assert second["numbers"].tolist() == [0, 1]


def test_the_mean_over_processes_is_the_same_on_all(pair: list[Results]) -> None:
    for results in pair:
        assert results["gather"]["mean"].tolist() == [0.5, 1.0]
        assert results["gather"]["scalar"].item() == 0.5


def test_one_process_is_left_as_it_is() -> None:
    tensor = torch.rand(3, 2)
    assert rank_and_world() == (0, 1)
    assert gather(tensor).equal(tensor)
    assert mean_over_processes(tensor).equal(tensor)


@pytest.mark.parametrize("name", NORMS)
def test_synchronised_norms_do_what_one_norm_does_with_the_whole_batch(
    pair: list[Results], name: str
) -> None:
    expected = normalised(*norm_and_batch(name))
    torch.testing.assert_close(laid_end_to_end(pair, name, "output"), expected["output"])
    torch.testing.assert_close(
        laid_end_to_end(pair, name, "gradient"), expected["gradient"], rtol=1e-4, atol=1e-6
    )
    for results in pair:
        torch.testing.assert_close(results[name]["weights"], expected["weights"])
        torch.testing.assert_close(results[name]["state"], expected["state"])


def test_half_precision_keeps_its_type_and_float32_statistics(pair: list[Results]) -> None:
    norm, images, factors = norm_and_batch("images")
    expected = normalised(norm, images.bfloat16(), factors)
    output, gradient = (laid_end_to_end(pair, "half", key) for key in ("output", "gradient"))
    assert (output.dtype, gradient.dtype) == (torch.bfloat16, torch.bfloat16)
    torch.testing.assert_close(output, expected["output"], rtol=0.01, atol=0.02)
    torch.testing.assert_close(gradient, expected["gradient"], rtol=0.02, atol=1e-4)
    torch.testing.assert_close(pair[0]["half"]["state"], expected["state"])


@pytest.mark.parametrize("name", METHODS)
def test_a_method_on_two_processes_learns_what_it_learns_on_one(pair: list[Results], name: str) -> None:
    expected = trained(name)
    for results in pair:
        torch.testing.assert_close(results[name]["losses"], expected["losses"])
        torch.testing.assert_close(results[name]["state"], expected["state"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NORMS)
def test_one_process_normalises_as_before(name: str) -> None:
    norm, images, factors = norm_and_batch(name)
    synchronised = sync_batch_norms(copy.deepcopy(norm))
    assert isinstance(synchronised[0], SynchronisedBatchNorm)
    expected, found = (
        (normalised(module, images, factors), module.eval()(images)) for module in (norm, synchronised)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_timms_norm_with_activation_is_taken_over() -> None:
    from timm.layers.norm_act import BatchNormAct2d

    torch.manual_seed(0)
    norm = nn.Sequential(BatchNormAct2d(3, act_layer=nn.SiLU))
    synchronised = sync_batch_norms(copy.deepcopy(norm))
    images = torch.randn(4, 3, 5, 5)
    assert isinstance(synchronised[0], SynchronisedBatchNorm)
    assert synchronised(images).equal(norm(images))
    torch.testing.assert_close(synchronised.state_dict(), norm.state_dict(), rtol=0, atol=0)


def test_norms_keep_their_tensors_and_names() -> None:
    method = method_named("byol")
    before = {**dict(method.named_parameters()), **dict(method.named_buffers())}
    assert sync_batch_norms(method) is method
    after = {**dict(method.named_parameters()), **dict(method.named_buffers())}
    assert list(after) == list(before)
    assert all(after[name] is tensor for name, tensor in before.items())
    norms = [part for part in method.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == 7
    assert all(isinstance(norm, SynchronisedBatchNorm) for norm in norms)
