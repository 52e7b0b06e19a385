"""A frozen network says what it said before, for any number of images."""

from __future__ import annotations

import pytest
import torch

from apical import registry
from apical.encoders import backbone_from
from apical.freezing import frozen
from apical.networks.base import Network, network_from

CPU = torch.device("cpu")


def network(name: str = "unet_resnet") -> Network:
    torch.manual_seed(0)
    kind = registry.load("networks", name)
    config = registry.load("backbones", "resnet18").Config(stride=16, widths=(8, 8, 16, 16))
    made = network_from(kind.Config(), config, backbone_from(config), num_classes=2)
    made(torch.rand(4, 1, 32, 32))  # so that norms have statistics of their own
    return made.eval()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("name", ["unet_resnet", "deeplabv3"])
def test_it_gives_the_same_logits_in_float32(name: str, count: int) -> None:
    made, images = network(name), torch.rand(count, 1, 32, 48)
    with torch.no_grad():
        found = frozen(made, (32, 48), "32", CPU)(images)
        torch.testing.assert_close(found, made(images), rtol=1e-4, atol=1e-5)


def test_in_bf16_it_gives_nearly_the_same() -> None:
    made, images = network(), torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        found, expected = frozen(made, (32, 32), "bf16", CPU)(images).float(), made(images)
    assert (found - expected).abs().max() < 0.05 * expected.abs().max() + 0.02


def test_the_network_itself_stays_as_it_is() -> None:
    made = network()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    frozen(made, (32, 32), "32", CPU)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())
