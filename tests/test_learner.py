"""A learner: its teacher follows and is never taught, what is frozen stays, and beliefs go where the student looks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from apical.averages import settled_decay
from apical.backbones.base import BackboneConfig
from apical.encoders import backbone_from
from apical.learner import ConsistencyConfig, Learner, Lesson, Unlabelled
from apical.moment import Moment
from apical.networks.base import Network, network_from
from apical.networks.unet import UNetConfig
from apical.registry import load
from apical.tasks._mask_answers import as_shown
from apical.tasks.lv_segmentation import LVSegmentation, LVSegmentationConfig

SIZE = 32
LATE, EARLY = Moment(90, 10, 10), Moment(4, 10, 10)
TASK = LVSegmentation(LVSegmentationConfig(structures=("lv",)))
ABOUT = ConsistencyConfig(weight=0.7, begin=0.1, ramp=0.3, threshold=0.0, momentum=0.9)


def network() -> Network:
    torch.manual_seed(0)
    config: BackboneConfig = load("backbones", "unet_encoder").Config(width=4)
    return network_from(UNetConfig(), config, backbone_from(config), TASK.num_outputs)


def learner(**settings: Any) -> Learner:
    return Learner(network(), TASK, **{"consistency": ABOUT, **settings})


def blobs(count: int, seed: int) -> Tensor:
    """Smooth images (B, 1, H, W) in [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    return nn.functional.interpolate(
        torch.rand(count, 1, 6, 6, generator=random), (SIZE, SIZE), mode="bicubic"
    ).clamp(0, 1)


def turned(count: int, degrees: float = 25.0, zoom: float = 1.2) -> Tensor:
    angle = torch.deg2rad(torch.linspace(-degrees, degrees, count))
    rows = [torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)]
    return torch.cat([torch.stack(rows, 1) / zoom, torch.full((count, 2, 1), 0.1)], dim=2)


def given(count: int = 4, warps: Tensor | None = None) -> Lesson:
    plain = blobs(count, 1)
    warps = turned(count) if warps is None else warps
    images = blobs(count, 2)
    unlabelled = Unlabelled(plain, as_shown(plain, warps, (SIZE, SIZE)), warps)
    return Lesson(images, (images > 0.5).float(), unlabelled)


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def step(model: Learner, moment: Moment = LATE) -> None:
    """One of training."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=0.1)
    torch.autograd.backward(model(given(), moment)["loss"])
    optimiser.step()
    optimiser.zero_grad()


def test_the_teacher_gets_no_gradient_and_all_else_does() -> None:
    model = learner()
    torch.autograd.backward(model(given(), LATE)["loss"])
    for name, weight in model.named_parameters():
        assert (weight.grad is None) == name.startswith("teacher."), name
        # The norm after a convolution takes its bias away again.
        assert weight.grad is None or name.endswith("bias") or bool(weight.grad.abs().max() > 0), name


def test_the_teacher_stands_still_in_a_step_and_follows_after_it() -> None:
    model = learner()
    assert model.teacher is not None
    before = state(model.teacher)
    step(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in state(model.teacher).items())
    model.after_step(LATE)
    share = 1 - settled_decay(0.9, LATE.step)
    ahead, after = state(model.network), state(model.teacher)
    moved = [name for name, tensor in after.items() if not torch.equal(tensor, before[name])]
    for name, tensor in after.items():
        counts = not tensor.is_floating_point()
        expected = ahead[name] if counts else before[name] + share * (ahead[name] - before[name])
        torch.testing.assert_close(tensor, expected, msg=name)
    assert any("running_mean" in name for name in moved)
    assert any("running_var" in name for name in moved)
    assert any("num_batches_tracked" in name for name in moved)
    assert {name for name in before if name.endswith(".weight")} <= set(moved)


def test_what_is_left_is_the_teacher_where_there_is_one() -> None:
    model, alone = learner(), learner(consistency=None)
    assert model.taught is model.teacher
    assert alone.taught is alone.network
    assert alone.teacher is None
    alone.after_step(LATE)


def test_a_teacher_is_never_in_training() -> None:
    model = learner()
    assert model.teacher is not None
    for mode in (True, False, True):
        model.train(mode)
        assert model.network.training is mode
        assert not any(part.training for part in model.teacher.modules())


def test_before_its_time_the_teacher_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    model, alone = learner(), learner(consistency=None)
    monkeypatch.setattr(Learner, "_beliefs", None)
    losses = model(given(), EARLY)
    assert losses["disagreement"] == 0
    assert torch.equal(losses["loss"], alone(given(), EARLY)["loss"])


def test_the_weight_rises_from_nothing_to_all_of_it() -> None:
    steps = range(0, 101, 5)
    weights = [ABOUT.weight_at(Moment(step, 10, 10)) for step in steps]
    expected = [0.7 * min(max((step / 100 - 0.1) / 0.3, 0), 1) for step in steps]
    assert weights == pytest.approx(expected)
    assert weights[:3] == [0, 0, 0]
    assert weights[-1] == 0.7


def test_the_loss_is_that_of_the_labelled_and_the_weighted_disagreement() -> None:
    model = learner().eval()
    losses, alone = model(given(), LATE), TASK.loss(model.network(given().images), given().answers)
    torch.testing.assert_close(losses["loss"], alone["loss"] + 0.7 * losses["disagreement"])
    assert losses["disagreement"] > 0


def test_without_unlabelled_images_there_is_no_disagreement() -> None:
    model = learner()
    losses = model(Lesson(given().images, given().answers), LATE)
    assert "disagreement" not in losses


def test_a_frozen_encoder_stays_as_it_is_with_its_norms_statistics() -> None:
    model = learner(trains_backbone=False)
    before, decoder = state(model.network.backbone), state(model.network)
    for _ in range(2):
        step(model)
        model.after_step(LATE)
        model.eval()
        model.train()
    assert all(weight.grad is None for weight in model.network.backbone.parameters())
    after = state(model.network.backbone)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert model.teacher is not None
    taught = state(model.teacher.backbone)
    assert all(torch.equal(taught[name], tensor) for name, tensor in before.items())
    changed = [
        name for name, tensor in state(model.network).items() if not torch.equal(tensor, decoder[name])
    ]
    assert changed
    assert not [name for name in changed if name.startswith("backbone.")]
    assert any("running_mean" in name for name in changed)


def test_an_encoder_that_learns_changes_with_its_norms_statistics() -> None:
    model = learner()
    before = state(model.network.backbone)
    step(model)
    same = [
        name for name, tensor in state(model.network.backbone).items() if torch.equal(tensor, before[name])
    ]
    assert not [name for name in same if name.endswith((".weight", "running_mean", "running_var"))]


class Seeing(Network):
    """A perfect network for blobs: a pixel is as sure as it is far from grey."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.backbone = nn.Identity()  # type: ignore[assignment]
        self.weight = nn.Parameter(torch.zeros(1))

    def decoded(self, images: Tensor) -> Tensor:
        signal = (images - 0.5) * 400 + self.weight
        return torch.cat([-signal, signal], dim=1)


@pytest.mark.parametrize("degrees", [0.0, 15.0, 40.0, 170.0])
@pytest.mark.parametrize("zoom", [1.0, 1.6])
def test_beliefs_are_carried_to_where_the_student_looks(degrees: float, zoom: float) -> None:
    """A perfect student then agrees with a perfect teacher; had nothing been carried, it would not."""
    warps = turned(6, degrees, zoom)
    warps[:, :, 2] = 0
    model = Learner(Seeing(), TASK, consistency=ABOUT)
    found = given(6, warps)
    assert found.unlabelled is not None
    beliefs = model._beliefs(found.unlabelled)
    seen = TASK.beliefs(model.network(found.unlabelled.changed))
    sure = as_shown(torch.ones(6, 1, SIZE, SIZE), warps, (SIZE, SIZE)) == 1
    sure &= ((found.unlabelled.changed - 0.5).abs() > 0.05) & ((beliefs - 0.5).abs() > 0.4)
    assert sure.float().mean() > 0.4
    assert ((seen > 0.5) == (beliefs > 0.5))[sure].float().mean() > 0.995
    if degrees > 20:
        plain = TASK.beliefs(model.network(found.unlabelled.plain))
        assert ((seen > 0.5) == (plain > 0.5))[sure].float().mean() < 0.9


def test_the_same_view_of_the_same_frame_leaves_nothing_to_disagree_about() -> None:
    identity = torch.eye(2, 3).expand(4, 2, 3)
    model = Learner(Seeing(), TASK, consistency=ABOUT.model_copy(update={"threshold": 0.95}))
    assert model(given(4, identity), LATE)["disagreement"] < 0.02
    changed = copy.deepcopy(model)
    nn.init.constant_(changed.network.weight, 60.0)  # type: ignore[arg-type]
    assert changed(given(4, identity), LATE)["disagreement"] > 0.05
