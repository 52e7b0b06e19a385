"""What every pretraining method keeps, whoever wrote it: each is built around a tiny net and fed noise."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from apical import registry
from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.methods.base import Losses, Method
from apical.pretraining import PretrainConfig
from apical.views import ViewConfig
from tests.methods.tiny import FIRST, SIZE, Tiny, noise

NAMES = registry.names("methods")
SMALLER = {"prototypes": 512, "hidden_features": 64}
"""Settings that only make tests slower by default."""


def method_named(name: str, seed: int = 0) -> Method:
    torch.manual_seed(seed)
    kind: type[Method] = registry.load("methods", name)
    smaller = {field: value for field, value in SMALLER.items() if field in kind.Config.model_fields}
    config = kind.Config.model_validate({"name": name, **smaller})
    is_for_clips = kind(config, Tiny()).frames is not None
    torch.manual_seed(seed)
    return kind(config, Tiny(axes=3 if is_for_clips else 2))


def batch_for(method: Method) -> Batch:
    return noise(method.default_views(SIZE), frames=method.frames)


def losses_of(method: Method, batch: Batch, seed: int = 0) -> Losses:
    torch.manual_seed(seed)
    losses: Losses = method(batch, FIRST)
    return losses


@pytest.fixture(params=NAMES)
def method(request: pytest.FixtureRequest) -> Method:
    return method_named(request.param)


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_bear_the_name_of_the_file(name: str) -> None:
    config = registry.load("methods", name).Config()
    assert config.name == name
    assert [field for field, about in type(config).model_fields.items() if not about.description] == ["name"]


def test_the_default_views_are_settings_of_views_and_hold_what_is_asked_for(method: Method) -> None:
    views = method.default_views(SIZE)
    checked = {group: ViewConfig.model_validate(settings) for group, settings in views.items()}
    assert set(method.view_groups) <= set(checked)


def test_the_defaults_are_settings_of_a_pretraining(method: Method) -> None:
    assert set(method.defaults) <= set(PretrainConfig.model_fields)
    assert method.advice.endswith(".")


def test_losses_are_finite_scalars_and_one_is_trained_on(method: Method) -> None:
    losses = losses_of(method, batch_for(method))
    assert losses["loss"].requires_grad
    assert all(value.ndim == 0 and value.isfinite() for value in losses.values())


def test_noise_looks_neither_collapsed_nor_wider_than_it_can_be(method: Method) -> None:
    assert 0.1 < losses_of(method, batch_for(method))["spread"] <= 1 + 1e-6


def test_every_trained_weight_gets_a_gradient_and_no_teacher_does(method: Method) -> None:
    torch.autograd.backward(losses_of(method, batch_for(method))["loss"])
    for name, weight in method.named_parameters():
        has_gradient = weight.grad is not None and bool(weight.grad.abs().max() > 0)
        assert has_gradient == weight.requires_grad, name


def test_the_optimiser_trains_the_backbone_or_leaves_it_alone_altogether(method: Method) -> None:
    assert {weight.requires_grad for weight in method.backbone.parameters()} == {method.trains_backbone}
    modes = {module.training for module in method.train().backbone.modules()}
    assert modes == {method.trains_backbone}


def test_heads_that_are_kept_are_trained(method: Method) -> None:
    for head in method.heads.values():
        assert head in list(method.children())
        assert any(weight.requires_grad for weight in head.parameters())


def test_the_encoder_is_a_backbone(method: Method) -> None:
    assert isinstance(method.encoder, Backbone)
    assert method.encoder in list(method.children())


def test_a_few_steps_lower_the_loss_while_teachers_stand_still(method: Method) -> None:
    batch = batch_for(method)
    trained = [weight for weight in method.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=1e-3)
    before = losses_of(method, batch)["loss"].item()
    for _ in range(8):
        torch.autograd.backward(losses_of(method, batch)["loss"])
        method.before_step(FIRST)
        optimiser.step()
        optimiser.zero_grad()
    assert losses_of(method, batch)["loss"].item() < before


def test_the_same_seed_gives_the_same_loss_and_another_seed_another(method: Method) -> None:
    name, batch = method.config.name, batch_for(method)
    here = losses_of(method_named(name), batch)["loss"]
    assert losses_of(method_named(name), batch)["loss"].equal(here)
    assert not losses_of(method_named(name, seed=1), batch)["loss"].equal(here)


def test_what_is_saved_and_loaded_gives_the_same_losses(method: Method, tmp_path: Path) -> None:
    batch = batch_for(method)
    losses_of(method, batch)  # so that running statistics are no longer those of the beginning
    save_file(copy.deepcopy(method.state_dict()), tmp_path / "method.safetensors")
    other = method_named(method.config.name, seed=1)
    other.load_state_dict(load_file(tmp_path / "method.safetensors"))
    for here, there in ((method, other), (method.eval(), other.eval())):
        expected, found = losses_of(here, batch), losses_of(there, batch)
        assert all(found[name].equal(value) for name, value in expected.items())


def test_half_precision_changes_the_loss_but_a_little(method: Method) -> None:
    batch = batch_for(method)
    exact = losses_of(copy.deepcopy(method), batch)["loss"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = losses_of(method, batch)
    assert losses["loss"].dtype == torch.float32
    torch.testing.assert_close(losses["loss"], exact, rtol=0.03, atol=0.03)
    torch.autograd.backward(losses["loss"])
    assert all(weight.grad.isfinite().all() for weight in method.parameters() if weight.grad is not None)
