"""SimCLR's contrast against an oracle library and a slow loop, and its module on images, clips and one patient."""

from __future__ import annotations

import math

import pytest
import torch
from lightly.loss import NTXentLoss
from torch import Tensor

from apical.batch import Batch
from apical.errors import ApicalError
from apical.methods._contrast import nt_xent
from apical.methods._spread import spread
from apical.methods.simclr import SimCLR, SimCLRConfig
from tests.methods.tiny import FIRST, SIZE, Tiny, noise


def embeddings(samples: int = 7, features: int = 5) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(2 * samples, features, generator=random).mul_(3).requires_grad_()


def method(axes: int = 2, **settings: object) -> SimCLR:
    torch.manual_seed(0)
    return SimCLR(SimCLRConfig.model_validate(settings), Tiny(axes))


def slow_loss(points: Tensor, temperature: float, patients: Tensor) -> Tensor:
    """View by view, as the paper writes it, without other samples of the same patient."""
    samples, losses = len(patients), []
    unit = points / points.norm(dim=1, keepdim=True)
    for view in range(2 * samples):
        partner = (view + samples) % (2 * samples)
        others = [
            other
            for other in range(2 * samples)
            if other == partner or patients[other % samples] != patients[view % samples]
        ]
        terms = torch.stack([(unit[view] @ unit[other] / temperature).exp() for other in others])
        losses.append(-((unit[view] @ unit[partner] / temperature).exp() / terms.sum()).log())
    return torch.stack(losses).mean()


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_the_contrast_and_its_gradient_agree_with_lightly(temperature: float) -> None:
    ours, theirs = embeddings(), embeddings()
    loss = nt_xent(ours, temperature).loss
    expected = NTXentLoss(temperature)(*theirs.chunk(2))
    torch.testing.assert_close(loss, expected)
    torch.autograd.backward(loss)
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("patients", [[0, 1, 2, 3, 4, 5, 6], [0, 0, 1, 2, 1, 0, 3]])
def test_other_samples_of_a_patient_are_no_negatives(patients: list[int]) -> None:
    points = embeddings()
    whose = torch.tensor(patients)
    torch.testing.assert_close(nt_xent(points, 0.1, whose).loss, slow_loss(points, 0.1, whose))


def test_a_batch_of_one_patient_teaches_nothing_but_does_no_harm() -> None:
    points = embeddings()
    contrast = nt_xent(points, 0.1, torch.zeros(7, dtype=torch.long))
    torch.autograd.backward(contrast.loss)
    assert (contrast.loss.item(), contrast.accuracy.item()) == (0, 1)
    assert points.grad is not None
    assert not points.grad.any()


def test_accuracy_is_the_share_of_views_that_find_their_partner() -> None:
    one = torch.eye(4)
    found = one + 0.1
    swapped = found[[0, 1, 3, 2]]
    assert nt_xent(torch.cat([one, found]), 0.1).accuracy == 1
    assert nt_xent(torch.cat([one, swapped]), 0.1).accuracy == 0.5


def test_the_contrast_is_worked_out_in_float32_under_autocast() -> None:
    points = embeddings()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        contrast = nt_xent(points, 0.05)
    assert contrast.loss.equal(nt_xent(points, 0.05).loss)


def test_points_without_direction_give_the_loss_of_chance() -> None:
    contrast = nt_xent(torch.zeros(14, 5), 0.1)
    torch.testing.assert_close(contrast.loss, torch.tensor(math.log(13)))


def test_masking_is_off_on_demand() -> None:
    batch = noise(SimCLR.default_views(SIZE), samples=8, patients=2)
    with_mask = method()(batch, FIRST)["loss"]
    without = method(masks_same_patient=False)(batch, FIRST)["loss"]
    assert with_mask < without


def test_another_number_of_views_is_an_error_that_says_what_to_set() -> None:
    three = {"pair": {**SimCLR.default_views(SIZE)["pair"], "count": 3}}
    with pytest.raises(ApicalError, match=r"views\.pair\.count=2"):
        method()(noise(three), FIRST)


def test_the_projector_is_the_papers() -> None:
    shapes = {name: tuple(weight.shape) for name, weight in method().projector.named_parameters()}
    assert shapes == {"0.weight": (8, 8), "1.weight": (8,), "1.bias": (8,), "3.weight": (128, 8)}
    assert method(hidden_features=16).projector[0].out_features == 16


def test_clips_of_two_videos_go_through_as_images_do() -> None:
    clips = [torch.rand(4, 1, 4, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    numbers = torch.arange(4)
    simclr = method(axes=3)
    losses = simclr(Batch({"pair": clips}, {}, numbers, numbers, numbers, numbers), FIRST)
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    assert all(weight.grad is not None for weight in simclr.parameters())


def test_spread_is_one_for_even_directions_and_nothing_after_collapse() -> None:
    random = torch.Generator().manual_seed(0)
    torch.testing.assert_close(
        spread(torch.randn(20000, 16, generator=random)).item(), 1.0, atol=0.01, rtol=0
    )
    assert spread(torch.rand(1, 16, generator=random).expand(8, 16)) < 1e-6
    lengths = torch.rand(8, 1, generator=random)
    assert spread(lengths * torch.ones(16)) < 1e-6


def test_spread_is_the_mean_deviation_of_normalised_dimensions() -> None:
    points = embeddings().detach()
    unit = points / points.norm(dim=1, keepdim=True)
    deviations = [((unit[:, d] - unit[:, d].mean()) ** 2).mean().sqrt().item() for d in range(5)]
    assert spread(points).item() == pytest.approx(sum(deviations) / 5 * 5**0.5, rel=1e-5)
