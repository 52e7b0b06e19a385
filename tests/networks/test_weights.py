"""What pretraining left comes into a network whole: every tensor, bit by bit, or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from apical import registry
from apical.backbones.base import Backbone, BackboneConfig
from apical.checkpoint import read_tensors, write_tensors
from apical.encoders import backbone_from, backbone_weights, encoder_of
from apical.errors import ApicalError
from apical.methods.base import Method
from apical.run import Run, RunCard
from apical.weights import start_weights
from tests.backbones.material import grey_images, lived_in
from tests.methods.test_contract import SMALLER
from tests.networks.material import BACKBONES, CASES, Case, around, small

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_backbone = pytest.mark.parametrize("name", BACKBONES)
METHODS = registry.names("methods")
SCALE = {"input_mean": 0.3, "input_std": 0.2}


def trained(config: BackboneConfig) -> Backbone:
    """A backbone with an input scale of its own, as if it had been trained."""
    torch.manual_seed(3)
    return lived_in(backbone_from(config.model_copy(update=SCALE)))


def run_of(folder: Path, config: BackboneConfig, tensors: Mapping[str, Tensor]) -> Path:
    """The folder of a pretraining run that left these tensors."""
    (folder / "checkpoints").mkdir(parents=True)
    card: dict[str, Any] = {"command": "", "data": {}, "licences": (), "versions": {}, "precision": "32-true"}
    RunCard(stage="pretrain", method="simclr", device="cpu", processes=1, **card).write(folder / "run.json")
    Run.config_path(folder).write_text(yaml.safe_dump({"backbone": config.model_dump(mode="json")}))
    write_tensors(Run.weights_path(folder, "best"), tensors, {})
    return folder


def fresh(config: BackboneConfig) -> Backbone:
    torch.manual_seed(99)
    return backbone_from(config)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Callable[[BackboneConfig], Path]:
    """Runs that left a whole backbone with these settings, each written once."""
    written: dict[str, Path] = {}

    def folder(config: BackboneConfig) -> Path:
        if repr(config) not in written:
            place = tmp_path_factory.mktemp("left") / "run"
            written[repr(config)] = run_of(place, config, backbone_weights(trained(config)))
        return written[repr(config)]

    return folder


@every_case
def test_every_tensor_of_a_run_is_in_the_network_bit_by_bit(
    left: Callable[[BackboneConfig], Path], case: Case
) -> None:
    there = backbone_weights(trained(case.backbone))
    backbone = fresh(case.backbone)
    card = start_weights(backbone, case.backbone, str(left(case.backbone)))
    network = around(case, backbone).state_dict()
    assert card.num_tensors == len(backbone.state_dict()) - len(SCALE)
    assert {name for name in network if name.startswith("backbone.")} == there.keys()
    assert not [name for name, tensor in there.items() if not torch.equal(network[name], tensor)]
    assert (card.input_mean, card.input_std) == pytest.approx((0.3, 0.2))


@every_backbone
def test_a_network_sees_with_the_encoder_that_the_run_left(
    left: Callable[[BackboneConfig], Path], name: str
) -> None:
    case = next(each for each in CASES if each.backbone.name == name)
    backbone, folder = fresh(case.backbone), left(case.backbone)
    start_weights(backbone, case.backbone, str(folder))
    network, encoder = around(case, backbone).eval(), encoder_of(Run.open(folder))
    images = grey_images(1, 1, 32, 32)
    with torch.no_grad():
        for mine, theirs in zip(network.backbone.pyramid(images), encoder.pyramid(images), strict=True):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("method_name", METHODS)
def test_what_each_method_leaves_is_taken_whole(method_name: str, tmp_path: Path) -> None:
    case = Case("token_decoder", small("vit_small")[0])
    kind = registry.load("methods", method_name)
    smaller = {key: value for key, value in SMALLER.items() if key in kind.Config.model_fields}
    method: Method = kind(kind.Config(**smaller), trained(case.backbone))
    there = backbone_weights(method.encoder)
    backbone = fresh(case.backbone)
    start_weights(backbone, case.backbone, str(run_of(tmp_path / "run", case.backbone, there)))
    network = around(case, backbone).state_dict()
    assert all(torch.equal(network[name], tensor) for name, tensor in there.items())


@every_backbone
def test_without_its_first_or_last_tensor_nothing_is_taken(name: str, tmp_path: Path) -> None:
    config = small(name)[0]
    whole, backbone = backbone_weights(trained(config)), fresh(config)
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    needed = [key for key in whole if not key.endswith(("num_batches_tracked", *SCALE))]
    for number, key in enumerate([needed[0], needed[-1]]):
        rest = {other: tensor for other, tensor in whole.items() if other != key}
        folder = run_of(tmp_path / str(number), config, rest)
        with pytest.raises(ApicalError, match=rf"1 missing \({key.removeprefix('backbone.')}\)"):
            start_weights(backbone, config, str(folder))
    assert all(torch.equal(tensor, before[key]) for key, tensor in backbone.state_dict().items())


@every_backbone
def test_a_tensor_of_another_shape_is_an_error(name: str, tmp_path: Path) -> None:
    config = small(name)[0]
    whole = backbone_weights(trained(config))
    key = list(whole)[-1] if name == "vit_small" else next(key for key in whole if key.endswith(".weight"))
    folder = run_of(tmp_path / "run", config, {**whole, key: torch.ones(3, 3)})
    with pytest.raises(ApicalError, match=rf"1 of another shape \({key.removeprefix('backbone.')} \(3, 3\)"):
        start_weights(fresh(config), config, str(folder))


@every_backbone
def test_a_tensor_too_many_is_an_error(name: str, tmp_path: Path) -> None:
    config = small(name)[0]
    whole = backbone_weights(trained(config)) | {"backbone.more.weight": torch.ones(1)}
    with pytest.raises(ApicalError, match=r"1 unknown here \(more\.weight\)"):
        start_weights(fresh(config), config, str(run_of(tmp_path / "run", config, whole)))


@every_backbone
def test_a_run_of_another_backbone_is_an_error(name: str, tmp_path: Path) -> None:
    other = small(next(each for each in BACKBONES if each != name))[0]
    folder = run_of(tmp_path / "run", other, {"backbone.weight": torch.ones(1)})
    with pytest.raises(ApicalError, match=f"another backbone than {name}.*Set backbone={other.name}"):
        start_weights(fresh(small(name)[0]), small(name)[0], str(folder))


def test_what_was_read_is_what_a_run_wrote(tmp_path: Path) -> None:
    config = small("unet_encoder")[0]
    there = backbone_weights(trained(config))
    folder = run_of(tmp_path / "run", config, there)
    written = read_tensors(Run.weights_path(folder, "best"))[0]
    assert all(torch.equal(written[name], tensor) for name, tensor in there.items())
