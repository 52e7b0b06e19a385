"""BYOL's loss against an oracle library, and its teacher against a slow loop."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from lightly.loss import NegativeCosineSimilarity
from timm.layers.drop import DropPath
from torch import nn

from apical.methods._teacher import follow, teacher_of
from apical.methods.byol import BYOL, BYOLConfig, foretelling_error
from apical.moment import Moment
from tests.methods.tiny import FIRST, SIZE, Tiny, noise


def method(**settings: object) -> BYOL:
    torch.manual_seed(0)
    small = {"hidden_features": 32, "projected_features": 16}
    return BYOL(BYOLConfig.model_validate({**small, **settings}), Tiny())


def rates(module: nn.Module) -> list[float]:
    """How often each part leaves something out."""
    parts = list(module.modules())
    dropout = [part.p for part in parts if isinstance(part, nn.Dropout)]
    return dropout + [float(part.drop_prob) for part in parts if isinstance(part, DropPath)]


def moved(byol: BYOL) -> BYOL:
    """As after some training: the student's weights have gone elsewhere."""
    with torch.no_grad():
        for module in (byol.backbone, byol.projector):
            for weight in module.parameters():
                weight.add_(torch.rand(weight.shape, generator=torch.Generator().manual_seed(4)))
    return byol


def test_the_loss_agrees_with_lightly() -> None:
    byol = moved(method())
    batch = noise(BYOL.default_views(SIZE))
    one, other = batch.views["pair"]
    oracle, net = NegativeCosineSimilarity(), copy.deepcopy(byol)

    def foretold(view: torch.Tensor) -> torch.Tensor:
        return net.predictor(net.projector(net.backbone(view).vector))  # type: ignore[no-any-return]

    def seen(view: torch.Tensor) -> torch.Tensor:
        return net.teacher_projector(net.teacher_backbone(view).vector)  # type: ignore[no-any-return]

    negative = oracle(foretold(one), seen(other)) + oracle(foretold(other), seen(one))
    torch.testing.assert_close(byol(batch, FIRST)["loss"], 4 + 2 * negative)


def test_the_error_is_the_squared_distance_of_directions() -> None:
    random = torch.Generator().manual_seed(0)
    foretold, seen = torch.randn(2, 6, 4, generator=random)
    unit = foretold / foretold.norm(dim=1, keepdim=True) - seen / seen.norm(dim=1, keepdim=True)
    torch.testing.assert_close(foretelling_error(foretold, seen), unit.square().sum(dim=1).mean())
    assert foretelling_error(seen, 3 * seen).item() == pytest.approx(0, abs=1e-6)


def test_the_heads_are_the_papers() -> None:
    byol = BYOL(BYOLConfig(), Tiny())
    shapes = [tuple(weight.shape) for weight in byol.projector.parameters()]
    assert shapes == [(4096, 8), (4096,), (4096,), (256, 4096), (256,)]
    assert [tuple(weight.shape) for weight in byol.predictor.parameters()] == [(4096, 256), *shapes[1:]]


def test_a_norm_at_the_projectors_end_takes_away_what_all_embeddings_share() -> None:
    batch = noise(BYOL.default_views(SIZE))
    plain, normed = method(), method(norm_output=True)
    with torch.no_grad():
        for byol in (plain, normed):
            last = byol.projector[3], byol.teacher_projector[3]
            for layer in last:
                assert isinstance(layer, nn.Linear)
                layer.bias.add_(10)
    assert plain(batch, FIRST)["spread"] < 0.5 < 0.9 < normed(batch, FIRST)["spread"]
    assert sum(weight.numel() for weight in normed.parameters()) == sum(w.numel() for w in plain.parameters())


def test_the_teacher_begins_as_the_student_and_the_encoder_is_the_student() -> None:
    byol = method()
    assert byol.encoder is byol.backbone
    for teacher, student in (
        (byol.teacher_backbone, byol.backbone),
        (byol.teacher_projector, byol.projector),
    ):
        for name, tensor in student.state_dict().items():
            assert teacher.state_dict()[name].equal(tensor)


def test_each_network_keeps_its_own_norm_statistics() -> None:
    byol = moved(method())
    before = byol.teacher_backbone.state_dict()["net.1.running_mean"].clone()
    byol(noise(BYOL.default_views(SIZE)), FIRST)
    after = byol.teacher_backbone.state_dict()["net.1.running_mean"].clone()
    assert not after.equal(before)
    assert not after.equal(byol.backbone.state_dict()["net.1.running_mean"])
    byol.after_step(FIRST)
    assert byol.teacher_backbone.state_dict()["net.1.running_mean"].equal(after)


@pytest.mark.parametrize(
    ("step", "momentum"), [(0, 0.9), (8, 0.95), (16, 1.0), (4, 1 - 0.05 * (1 + 0.5**0.5))]
)
def test_the_teacher_follows_the_slower_the_later(step: int, momentum: float) -> None:
    byol = moved(method(teacher_momentum=0.9))
    before = [weight.clone() for weight in byol.teacher_projector.parameters()]
    byol.after_step(Moment(step, steps_per_epoch=4, epochs=4))
    for old, new, student in zip(
        before, byol.teacher_projector.parameters(), byol.projector.parameters(), strict=True
    ):
        torch.testing.assert_close(new, momentum * old + (1 - momentum) * student.detach())


def test_following_is_a_running_mean_of_parameters_alone() -> None:
    torch.manual_seed(0)
    student = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    teacher = teacher_of(student)
    expected = [weight.clone() for weight in teacher.parameters()]
    for _ in range(3):
        with torch.no_grad():
            for weight in student.parameters():
                weight.add_(torch.randn_like(weight))
        student(torch.randn(5, 3))
        expected = [0.7 * old + 0.3 * new for old, new in zip(expected, student.parameters(), strict=True)]
        follow(teacher, student, 0.7)
    for found, mean in zip(teacher.parameters(), expected, strict=True):
        torch.testing.assert_close(found, mean)
    assert teacher[1].num_batches_tracked == 0


def test_a_teacher_has_no_dropout_and_leaves_the_student_its_own() -> None:
    student = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), DropPath(0.5), nn.BatchNorm1d(3))
    teacher = teacher_of(student)
    assert [rates(module) for module in (teacher, student)] == [[0, 0], [0.5, 0.5]]
    assert teacher.training
    assert not any(weight.requires_grad for weight in teacher.parameters())
    assert all(weight.requires_grad for weight in student.parameters())
    points = torch.rand(4, 3)
    assert teacher(points).equal(teacher(points))


def test_a_loss_of_chance_is_about_four() -> None:
    torch.manual_seed(0)
    errors = [foretelling_error(torch.randn(500, 64), torch.randn(500, 64)).item() for _ in range(2)]
    assert math.isclose(sum(errors), 4, abs_tol=0.1)
