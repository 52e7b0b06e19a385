"""EchoCLR: the order that was drawn is the order that is told, and the contrast is that of SimCLR."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import factorial, log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from apical import registry
from apical.backbones.base import Features
from apical.batch import Batch
from apical.dataset import Dataset
from apical.encoders import backbone_from
from apical.errors import ApicalError
from apical.methods.echoclr import EchoCLR, EchoCLRConfig, shuffled
from apical.methods.mi_simclr import MISimCLR, clip_views
from apical.methods.simclr import SimCLR, SimCLRConfig
from apical.pretrain import pretrain
from tests.methods.tiny import FIRST, Tiny, noise


def clips_of(frames: int, **settings: Any) -> Batch:
    return noise(clip_views(), frames=frames, **settings)


def built(frames: int, **settings: Any) -> EchoCLR:
    torch.manual_seed(0)
    return EchoCLR(EchoCLRConfig(frames=frames, **settings), Tiny(axes=3))


class TellsOrder(nn.Module):
    """Knows the order of a clip whose frames are all of one grey each, by looking."""

    def __init__(self, orders: Tensor) -> None:
        super().__init__()
        self.orders = orders

    def forward(self, greys: Tensor) -> Tensor:
        ranks = greys.argsort(dim=1).argsort(dim=1)
        return 50.0 * (ranks[:, None] == self.orders[None]).all(dim=2).float()


class SeesGrey(nn.Module):
    """A clip's vector is the grey of each frame."""

    def forward(self, clips: Tensor) -> Features:
        return Features(clips.mean(dim=(1, 3, 4)), clips)


def test_frames_come_in_the_order_that_is_asked_for() -> None:
    clips = torch.arange(3.0).view(1, 1, 3, 1, 1).expand(2, 1, 3, 2, 2)
    found = shuffled(clips, torch.tensor([[2, 0, 1], [0, 1, 2]]))
    assert found[:, 0, :, 0, 0].tolist() == [[2, 0, 1], [0, 1, 2]]


@pytest.mark.parametrize("frames", [2, 3, 4])
def test_whoever_sees_the_order_tells_it_always(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    method = built(frames)
    monkeypatch.setattr(method, "order_head", TellsOrder(method.orders))
    grey = torch.linspace(0.1, 0.9, frames).view(1, 1, frames, 1, 1).expand(6, 1, frames, 32, 32)
    batch = clips_of(frames, samples=6)
    batch = Batch(
        {"pair": [grey, grey]}, batch.warps, batch.patients, batch.studies, batch.clips, batch.frames
    )
    monkeypatch.setattr(method, "backbone", SeesGrey())
    monkeypatch.setattr(method, "projector", nn.Identity())
    losses = method.loss(batch, FIRST)
    assert losses["order_accuracy"] == 1
    assert losses["order"] < 1e-6


@pytest.mark.parametrize("frames", [2, 4])
def test_there_are_as_many_answers_as_orders_and_a_guess_costs_their_logarithm(frames: int) -> None:
    method = built(frames)
    assert method.orders.tolist() == [list(order) for order in permutations(range(frames))]
    assert isinstance(method.order_head, nn.Linear)
    nn.init.zeros_(method.order_head.weight)
    nn.init.zeros_(method.order_head.bias)
    torch.manual_seed(1)
    order = method.loss(clips_of(frames), FIRST)["order"]
    assert order.item() == pytest.approx(log(factorial(frames)))


def test_the_loss_is_the_contrast_and_the_weighted_order() -> None:
    for weight in (0.0, 0.5, 2.0):
        torch.manual_seed(2)
        losses = built(3, order_weight=weight)(clips_of(3), FIRST)
        expected = losses["contrast"] + weight * losses["order"]
        torch.testing.assert_close(losses["loss"].detach(), expected)


class KeepsGreys(SeesGrey):
    """Remembers the frames of every clip that it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[float, ...]] = []

    def forward(self, clips: Tensor) -> Features:
        features = super().forward(clips)
        self.seen += [tuple(round(grey, 3) for grey in clip) for clip in features.vector.tolist()]
        return features


def test_every_clip_gets_an_order_of_its_own_and_all_orders_come_up(monkeypatch: pytest.MonkeyPatch) -> None:
    method, sees = built(3), KeepsGreys()
    monkeypatch.setattr(method, "backbone", sees)
    monkeypatch.setattr(method, "projector", nn.Identity())
    monkeypatch.setattr(method, "order_head", nn.Linear(3, 6))
    batch, grey = clips_of(3, samples=8), torch.tensor([0.1, 0.5, 0.9])
    clips = grey.view(1, 1, 3, 1, 1).expand(8, 1, 3, 32, 32)
    batch = Batch(
        {"pair": [clips, clips]}, batch.warps, batch.patients, batch.studies, batch.clips, batch.frames
    )
    for seed in range(8):
        torch.manual_seed(seed)
        method.loss(batch, FIRST)
    assert set(sees.seen) == set(permutations((0.1, 0.5, 0.9)))
    assert len({tuple(sees.seen[start : start + 16]) for start in range(0, 128, 16)}) == 8


def test_another_number_of_frames_is_refused_by_both_numbers() -> None:
    with pytest.raises(ApicalError, match=r"order of 4 frames, but clips have 3.*sampling\.frames=4"):
        built(4).loss(clips_of(3), FIRST)
    with pytest.raises(ApicalError, match="clips have 1"):
        built(4).loss(noise(clip_views()), FIRST)


@pytest.mark.parametrize("frames", [1, 7])
def test_orders_are_neither_one_nor_too_many(frames: int) -> None:
    with pytest.raises(ValueError, match="frames"):
        EchoCLRConfig(frames=frames)


def test_multi_instance_simclr_is_simclr_on_other_samples() -> None:
    batch = clips_of(4)
    torch.manual_seed(3)
    mine = MISimCLR(MISimCLR.Config(), Tiny(axes=3))
    torch.manual_seed(3)
    theirs = SimCLR(SimCLRConfig(temperature=0.05, hidden_features=256), Tiny(axes=3))
    assert torch.equal(mine.loss(batch, FIRST)["loss"], theirs.loss(batch, FIRST)["loss"])
    assert MISimCLR.defaults["sampling"]["name"] == "study_pairs"


def test_clips_of_another_length_are_refused_before_a_folder_is_left(
    phantom_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    data = phantom_dataset("echonet_dynamic").folder
    with pytest.raises(ApicalError, match="the order of 4 frames, but clips have 3"):
        pretrain("echoclr", tmp_path / "run", data=data, overrides=["sampling.frames=3"])
    assert not (tmp_path / "run" / "run.json").exists()


def test_the_order_may_be_told_from_frames_of_a_net_that_looks_at_each_by_itself() -> None:
    """Of such a net the clip's vector is the same in any order."""
    settings = {"name": "resnet18", "stride": 32, "widths": (8, 8, 8, 8)}
    backbone = backbone_from(registry.load("backbones", "resnet18").Config(**settings))
    method = EchoCLR(EchoCLRConfig(frames=3, order_from="frames"), backbone)
    optimiser = torch.optim.Adam(method.parameters(), lr=3e-3)
    told = []
    for step in range(60):
        torch.manual_seed(step)
        losses = method(clips_of(3, samples=8, seed=step), FIRST)
        optimiser.zero_grad()
        torch.autograd.backward(losses["loss"])
        optimiser.step()
        told.append(float(losses["order_accuracy"]))
    assert sum(told[-10:]) / 10 > 2 / 6, "twice what a guess reaches"


def test_a_backbone_that_keeps_no_frames_is_refused_with_what_to_do() -> None:
    backbone = backbone_from(registry.load("backbones", "r3d_18").Config())
    method = EchoCLR(EchoCLRConfig(frames=4, order_from="frames"), backbone)
    with pytest.raises(ApicalError, match="keeps no map of each frame") as error:
        method(clips_of(4), FIRST)
    assert "method.order_from=clip" in str(error.value)
