"""DINO against an oracle library, and what it must never do: move frozen weights, or lose a collapse from sight."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from lightly.loss import DINOLoss
from torch import Tensor, nn

from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.methods._dino_head import DinoHead
from apical.methods._spread import spread
from apical.methods.base import Losses
from apical.methods.dino import Dino, DinoConfig, cross_entropy, evenly_shared, nearness
from apical.moment import Moment
from tests.methods.tiny import FIRST, SIZE, Tiny, noise, part_of

K = 64


def method(**settings: object) -> Dino:
    """DINO around a net whose norms don't let samples know of each other, so that any parting of a batch is alike."""
    torch.manual_seed(0)
    small = {"prototypes": K, "hidden_features": 64, "bottleneck_features": 16}
    dino = Dino(DinoConfig.model_validate({**small, **settings}), Tiny())
    dino.backbone.eval()
    dino.encoder.eval()
    return dino


def batch(local: int = 3) -> Batch:
    one = {"size": SIZE, "count": 1}
    return noise({"wide": one, "other_wide": one, "local": {"size": SIZE // 2, "count": local}}, samples=6)


def weights(backbone: Backbone) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in backbone.parameters()])


def step(dino: Dino, views: Batch, moment: Moment, optimiser: torch.optim.Optimizer) -> dict[str, float]:
    losses = dino(views, moment)
    optimiser.zero_grad()
    losses["loss"].backward()
    dino.before_step(moment)
    optimiser.step()
    dino.after_step(moment)
    return {name: float(value.detach()) for name, value in losses.items()}


def adam(dino: Dino, lr: float = 1e-2, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    trained = [weight for weight in dino.parameters() if weight.requires_grad]
    return torch.optim.AdamW(trained, lr=lr, weight_decay=weight_decay)


@pytest.mark.parametrize("local", [0, 3])
def test_loss_and_centre_agree_with_lightly(local: int) -> None:
    dino, views = method(teacher_temperature=0.06), batch(local=local)
    oracle = DINOLoss(K, teacher_temp=0.06, warmup_teacher_temp=0.06, warmup_teacher_temp_epochs=1)
    nn.init.normal_(dino.centre)
    oracle.center = dino.centre.clone().reshape(1, 1, K)
    wide = [*views.views["wide"], *views.views["other_wide"]]
    student = [dino.head(dino.backbone(view).vector) for view in [*wide, *views.views["local"]]]
    teacher = [dino.teacher_head(dino.teacher_backbone(view).vector) for view in wide]
    expected = oracle(teacher, student)
    losses = dino(views, FIRST)
    dino.after_step(FIRST)
    torch.testing.assert_close(losses["loss"], expected)
    torch.testing.assert_close(dino.centre, oracle.center.flatten())


def test_the_cross_entropy_pairs_every_wide_view_with_every_other_view() -> None:
    random = torch.Generator().manual_seed(0)
    teacher = torch.rand(2, 3, 5, generator=random).softmax(dim=2)
    student = torch.rand(4, 3, 5, generator=random).log_softmax(dim=2)
    pairs = [(i, j) for i in range(2) for j in range(4) if i != j]
    slow = [-(teacher[i, b] * student[j, b]).sum() for i, j in pairs for b in range(3)]
    torch.testing.assert_close(cross_entropy(teacher, student), torch.stack(slow).mean())


def test_the_loss_is_the_teachers_entropy_and_how_far_the_student_is_from_it() -> None:
    losses = method()(batch(local=0), FIRST)
    assert 0 < losses["teacher_entropy"] < math.log(K)
    assert losses["teacher_kl"] > 0
    torch.testing.assert_close(losses["teacher_entropy"] + losses["teacher_kl"], losses["loss"].detach())


def test_views_of_one_size_go_through_the_backbone_together() -> None:
    dino = method()
    passes: list[torch.Size] = []
    dino.backbone.register_forward_pre_hook(lambda _, images: passes.append(images[0].shape))
    dino(batch(local=3), FIRST)
    assert passes == [(12, 1, SIZE, SIZE), (18, 1, SIZE // 2, SIZE // 2)]


def test_local_views_may_be_left_out() -> None:
    dino, views = method(), batch(local=0)
    groups = {group: views.views[group] for group in dino.view_groups}
    assert dino(replace(views, views=groups), FIRST)["loss"].equal(dino(views, FIRST)["loss"])


def test_the_teacher_gets_no_gradient_and_every_trained_weight_does() -> None:
    dino = method(norm_last_layer=False)
    dino(batch(), FIRST)["loss"].backward()
    for name, weight in dino.named_parameters():
        assert (weight.grad is None) == name.startswith("teacher_"), name


def test_the_encoder_is_the_teacher_and_starts_as_the_student() -> None:
    dino = method()
    assert dino.encoder is dino.teacher_backbone
    assert weights(dino.encoder).equal(weights(dino.backbone))


def test_the_last_layer_is_frozen_in_the_first_epoch_even_under_weight_decay() -> None:
    dino = method()
    optimiser = adam(dino, weight_decay=0.5)
    before = dino.head.prototypes.weight.detach().clone()
    for number in range(4):
        step(dino, batch(), FIRST.after(number), optimiser)
        assert dino.head.prototypes.weight.equal(before)
    step(dino, batch(), FIRST.after(4), optimiser)
    assert not dino.head.prototypes.weight.equal(before)


def test_the_teacher_follows_by_the_cosine_and_stands_still_in_the_end() -> None:
    dino = method(teacher_momentum=0.5)
    optimiser = adam(dino)
    before = weights(dino.encoder)
    step(dino, batch(), FIRST.after(8), optimiser)
    half_way = torch.lerp(before, weights(dino.backbone), 0.25)
    torch.testing.assert_close(weights(dino.encoder), half_way)
    step(dino, batch(), FIRST.after(16), optimiser)
    torch.testing.assert_close(weights(dino.encoder), half_way)


def test_a_batch_taken_in_parts_moves_the_centre_and_the_gradients_as_one_taken_whole() -> None:
    whole, parted = method(), method()
    whole(batch(), FIRST)["loss"].backward()
    for part in range(2):
        (parted(part_of(batch(), part, parts=2), FIRST)["loss"] / 2).backward()
    for dino in (whole, parted):
        dino.after_step(FIRST)
    torch.testing.assert_close(parted.centre, whole.centre)
    torch.testing.assert_close(parted.head.prototypes.weight.grad, whole.head.prototypes.weight.grad)


def test_looking_without_training_leaves_the_centre_alone() -> None:
    dino = method().eval()
    dino(batch(), FIRST)
    dino.after_step(FIRST)
    assert not dino.centre.any()


@pytest.mark.parametrize(("size", "local"), [(112, 48), (224, 96), (16, 8)])
def test_local_views_are_of_half_the_size_and_of_whole_patches(size: int, local: int) -> None:
    views = Dino.default_views(size)
    assert views["local"]["size"] == local
    counts = {group: settings["count"] for group, settings in views.items()}
    assert counts == {"wide": 1, "other_wide": 1, "local": 8}


def test_the_teachers_temperature_rises_in_a_straight_line() -> None:
    config = DinoConfig(
        warmup_teacher_temperature=0.04, teacher_temperature=0.07, warmup_teacher_temperature_epochs=4
    )
    found = [config.teacher_temperature_at(epoch) for epoch in range(6)]
    assert found == pytest.approx([0.04, 0.05, 0.06, 0.07, 0.07, 0.07])
    assert DinoConfig().teacher_temperature_at(0) == 0.04


def test_prototypes_are_directions_of_length_one_unless_told_otherwise() -> None:
    head = DinoHead((8, 32, 16), K, fixed_length=True)
    with torch.no_grad():
        head.prototypes.weight.mul_(7)
        assert head(torch.rand(5, 8)).abs().max() <= 1
    assert not head.prototypes.length.requires_grad
    assert DinoHead((8, 32, 16), K, fixed_length=False).prototypes.length.requires_grad


def test_norms_in_the_head_take_away_what_all_images_share() -> None:
    vectors = torch.rand(64, 8) + 50  # as after a rectifier and a mean: nearly one direction
    torch.manual_seed(0)
    plain, normed = (DinoHead((8, 32, 16), K, fixed_length=True, norm=norm) for norm in (False, True))
    assert spread(plain.bottleneck(vectors)) < 0.1 < 0.5 < spread(normed.bottleneck(vectors))


def test_norms_in_the_head_learn_with_it_and_are_followed_by_the_teacher() -> None:
    dino = method(norm_in_head=True)
    dino(batch(), FIRST)["loss"].backward()
    assert all(weight.grad is not None for weight in dino.head.layers.parameters())
    assert [type(part) for part in dino.teacher_head.layers] == [type(part) for part in dino.head.layers]


@pytest.mark.parametrize(("collapse", "entropy"), [("one prototype", 0.0), ("all prototypes", math.log(K))])
def test_both_collapses_are_seen(collapse: str, entropy: float) -> None:
    dino = method(centre_momentum=0)
    for head in (dino.head, dino.teacher_head):
        last = head.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.ones_(last.bias)
        head.prototypes.weight.data[1:] *= -head.prototypes.weight.data[1:].sign()
        head.prototypes.weight.data[0] = 1
    if collapse == "all prototypes":  # the same scores for every image, but centred
        dino(batch(), FIRST)
        dino.after_step(FIRST)
    collapsed = dino(batch(), FIRST)
    assert collapsed["spread"] < 1e-3 < method()(batch(), FIRST)["spread"]
    assert float(collapsed["teacher_entropy"]) == pytest.approx(entropy, abs=1e-2)


def test_softmaxes_are_float32_under_autocast() -> None:
    dino = method()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = dino(batch(), FIRST)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert float(losses["loss"].detach()) == pytest.approx(
        float(dino(batch(), FIRST)["loss"].detach()), abs=0.1
    )


def test_a_few_steps_lower_the_loss() -> None:
    dino = method(freeze_last_layer_epochs=0)
    optimiser = adam(dino, lr=1e-3)
    figures = [step(dino, batch(), FIRST.after(number), optimiser)["loss"] for number in range(12)]
    assert figures[-1] < figures[0]


def test_even_use_gives_each_prototype_as_much_and_each_sample_one() -> None:
    scores = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)) * 3 + torch.arange(8.0)
    shares = evenly_shared(scores, rounds=50)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(64))
    torch.testing.assert_close(shares.sum(dim=0), torch.full((8,), 8.0), rtol=1e-3, atol=1e-3)
    assert torch.equal(shares.argmax(dim=1), evenly_shared(scores + 5, rounds=50).argmax(dim=1))


def test_where_all_images_look_alike_even_use_still_tells_them_apart_and_a_centre_does_not() -> None:
    same = torch.randn(1, 16, generator=torch.Generator().manual_seed(1))
    scores = (same + 0.01 * torch.randn(32, 16, generator=torch.Generator().manual_seed(2))) / 0.04
    even, centred = evenly_shared(scores), (scores - scores.mean(dim=0)).softmax(dim=1)
    assert len(set(even.argmax(dim=1).tolist())) > 4
    assert centred.amax(dim=1).mean() < 0.2


def test_nearness_is_that_of_the_nearest_other_within_a_view() -> None:
    angles = torch.tensor([0.0, 0.1, 2.0])
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    distances = (vectors[:, None] - vectors[None]).norm(dim=2) + 10 * torch.eye(3)
    expected = -distances.amin(dim=1).log().mean()
    torch.testing.assert_close(nearness(torch.stack([3 * vectors, vectors])), expected)


@pytest.mark.parametrize("apart", [0.0, 0.5])
def test_pushing_apart_is_added_to_the_loss_alone(apart: float) -> None:
    def losses(weight: float) -> Losses:
        torch.manual_seed(0)
        method = Dino(DinoConfig(prototypes=32, hidden_features=16, apart=weight), Tiny())
        return method.loss(noise(Dino.default_views(SIZE)), FIRST)

    plain, pushed = losses(0.0), losses(apart)
    assert (pushed["loss"] == plain["loss"]).item() == (apart == 0)
    torch.testing.assert_close(pushed["teacher_kl"], plain["teacher_kl"])
