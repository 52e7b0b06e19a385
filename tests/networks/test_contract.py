"""Every network keeps the contract on every backbone it fits: walking the folders, so that new ones are tested too."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from apical import registry
from apical.checkpoint import read_tensors, write_tensors
from apical.config import PieceConfig, piece
from apical.encoders import backbone_from
from apical.errors import ApicalError
from apical.layout import channels_last
from apical.networks.base import Network, network_from, networks_for
from tests.backbones.material import grey_images
from tests.networks.material import BACKBONES, CASES, NETWORKS, Case, built, settled, small

every_case = pytest.mark.parametrize("case", CASES, ids=str)
MISFITS = [
    (network, backbone)
    for network, backbone in product(NETWORKS, BACKBONES)
    if backbone not in registry.load("networks", network).backbones
]


@pytest.fixture(scope="module")
def lasting() -> Callable[[Case], Network]:
    """Networks whose norms have seen data, built once; no test may change them."""
    kept: dict[str, Network] = {}

    def get(case: Case) -> Network:
        if str(case) not in kept:
            kept[str(case)] = settled(built(case))
        return kept[str(case)]

    return get


def promised(network: Network, images: Tensor) -> tuple[int, ...]:
    """The shape of its logits."""
    return (len(images), 2) if network.gives == "vectors" else (len(images), 2, *images.shape[2:])


def loss_of(network: Network, images: Tensor) -> Tensor:
    """How badly it finds a bright left half in images to which one is added, and the dark rest.

    One that speaks of the whole is asked which of the images are brighter in all.
    """
    left = (torch.arange(images.shape[-1]) < images.shape[-1] // 2).float().expand_as(images)
    if network.gives == "vectors":
        classes = torch.arange(len(images)) % 2
        return functional.cross_entropy(network((images + classes[:, None, None, None]) / 2), classes)
    return functional.binary_cross_entropy_with_logits(
        network((images + left) / 2), torch.cat([left, 1 - left], 1)
    )


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_a_network(name: str) -> None:
    assert networks_for(name)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_settings_bear_the_name_of_the_file(name: str) -> None:
    config = registry.load("networks", name).Config()
    assert config.name == name
    assert [field for field, about in type(config).model_fields.items() if not about.description] == ["name"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_default_backbone_is_one_that_fits(name: str) -> None:
    kind: type[Network] = registry.load("networks", name)
    config: PieceConfig = piece("backbones")[0].func(kind.default_backbone)  # type: ignore[call-arg]
    assert config.name in kind.backbones
    assert not kind.strides or config.model_dump()["stride"] in kind.strides


@every_case
@pytest.mark.parametrize(("height", "width"), [(64, 64), (72, 56), (65, 47)])
def test_logits_are_as_high_and_wide_as_the_images(
    lasting: Callable[[Case], Network], case: Case, height: int, width: int
) -> None:
    with torch.no_grad():
        images = grey_images(2, 1, height, width)
        logits = lasting(case)(images)
    assert logits.shape == promised(lasting(case), images)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@every_case
def test_the_smallest_image_has_logits(lasting: Callable[[Case], Network], case: Case) -> None:
    network = lasting(case)
    side = network.backbone.smallest
    with torch.no_grad():
        images = grey_images(1, 1, side, side + 1)
        assert network(images).shape == promised(network, images)


@every_case
def test_each_image_is_seen_alone(lasting: Callable[[Case], Network], case: Case) -> None:
    images = grey_images(2, 1, 64, 64)
    with torch.no_grad():
        together, alone = lasting(case)(images), lasting(case)(images[1:])
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-4)


@every_case
def test_every_weight_is_taught_and_the_decoders_are_all_but_the_backbones(case: Case) -> None:
    network = built(case).train()
    torch.autograd.backward(loss_of(network, grey_images(2, 1, 48, 48)))
    named = dict(network.named_parameters())
    assert not [
        name for name, weight in named.items() if weight.grad is None or not weight.grad.isfinite().all()
    ]
    decoders = {id(weight) for weight in network.decoder_parameters}
    backbones = {id(weight) for weight in network.backbone.parameters()}
    assert decoders
    assert not decoders & backbones
    assert decoders | backbones == {id(weight) for weight in named.values()}


@every_case
def test_the_last_layer_starts_without_bias(case: Case) -> None:
    last = list(built(case).modules())[-1]
    assert isinstance(last, torch.nn.Conv2d | torch.nn.Linear)
    assert last.bias is not None
    assert not last.bias.any()


@every_case
def test_saved_and_loaded_it_sees_the_same(
    lasting: Callable[[Case], Network], case: Case, tmp_path: Path
) -> None:
    images = grey_images(1, 1, 64, 64)
    write_tensors(tmp_path / "w.safetensors", lasting(case).state_dict(), {})
    loaded = built(case, seed=9).eval()
    loaded.load_state_dict(read_tensors(tmp_path / "w.safetensors")[0])
    with torch.no_grad():
        assert torch.equal(loaded(images), lasting(case)(images))


@every_case
def test_a_few_steps_lower_the_loss(case: Case) -> None:
    network, images = built(case).train(), grey_images(2, 1, 48, 48)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, foreach=True)
    losses = []
    for _ in range(4):
        losses.append(loss_of(network, images))
        optimiser.zero_grad()
        torch.autograd.backward(losses[-1])
        optimiser.step()
    assert losses[-1].item() < 0.95 * losses[0].item()


@every_case
def test_the_same_seed_gives_the_same_logits(case: Case) -> None:
    images = grey_images(1, 1, 32, 32)
    with torch.no_grad():
        first, same = (built(case, seed).eval()(images) for seed in (1, 1))
    assert torch.equal(first, same)
    assert first.std() > 0


@every_case
def test_half_precision_with_channels_last_sees_much_the_same_and_teaches(
    lasting: Callable[[Case], Network], case: Case
) -> None:
    network, images = copy.deepcopy(lasting(case)), grey_images(2, 1, 48, 40)
    with torch.no_grad():
        exact = network(images)
    channels_last(network)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(images.to(memory_format=torch.channels_last))
    assert rough.dtype == torch.float32
    rough.square().mean().backward()
    assert (torch.linalg.norm(rough - exact) / torch.linalg.norm(exact)).item() < 0.05
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


@pytest.mark.parametrize(("network", "backbone"), MISFITS)
def test_a_network_and_a_backbone_that_do_not_fit_are_both_named(network: str, backbone: str) -> None:
    kind, settings = registry.load("networks", network), small(backbone)[0]
    with pytest.raises(ApicalError, match=f"'{network}' is built on .*, not on {backbone}") as caught:
        network_from(kind.Config(), settings, backbone_from(settings), 1)
    assert f"Set backbone={kind.backbones[0]}" in str(caught.value)
    assert f"built on {backbone}: {', '.join(networks_for(backbone))}." in str(caught.value)
