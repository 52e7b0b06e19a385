"""RAPTOR against an obvious loop over matrices of tokens, and an encoder that must stay as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Backbone, BackboneConfig, Features
from apical.backbones.vit_small import ViTSmall
from apical.batch import Batch
from apical.methods.raptor import Raptor, RaptorConfig, correspondence, sums_of
from tests.methods.tiny import FIRST, Tiny

SHIFTS = {"self": 0.3, "clip": 0.1, "other": -0.2}


class Dropping(Backbone):
    """As much dropout and batch norm as fits into a small net."""

    num_features = 8
    stride = 4

    def __init__(self) -> None:
        super().__init__(BackboneConfig(name="dropping"))
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 4, stride=4), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(8, 8, 1)
        )

    def features(self, images: Tensor) -> Features:
        maps = self.net(images)
        return Features(maps.mean(dim=(2, 3)), maps)


def small_vit(**settings: Any) -> Backbone:
    config = {
        "name": "vit_small",
        "patch": 8,
        "image_size": 32,
        "dim": 24,
        "depth": 2,
        "heads": 2,
        **settings,
    }
    return ViTSmall(ViTSmall.Config.model_validate(config))


def method(backbone: Backbone | None = None, parcels: int = 6, **settings: Any) -> Raptor:
    torch.manual_seed(0)
    config = RaptorConfig.model_validate(
        {
            "head": {"parcels": parcels},
            **{f"{name}_shift": shift for name, shift in SHIFTS.items()},
            **settings,
        }
    )
    return Raptor(config, backbone or small_vit())


def clips(samples: int = 3, frames: int = 4, side: int = 32, seed: int = 0) -> Batch:
    """Frames of a gradient that moves, with a bright square each: tokens differ, and those of one clip are alike."""
    random = torch.Generator().manual_seed(seed)
    line = torch.linspace(0, 1, side)
    slopes = torch.rand(samples, frames, 2, 1, 1, generator=random)
    pictures = (
        slopes[:, :, 0] * line[:, None]
        + slopes[:, :, 1] * line
        + 0.1 * torch.rand(samples, frames, side, side, generator=random)
    )
    for sample in range(samples):
        pictures[sample, :, 4 * sample : 4 * sample + 10, 3:20] = 1.0
    none = torch.zeros(samples, dtype=torch.int64)
    return Batch(
        views={"clip": [pictures[:, None].clamp(0, 1)]},
        warps={"clip": []},
        patients=torch.arange(samples),
        studies=torch.arange(samples),
        clips=torch.arange(samples),
        frames=none,
    )


def losses_of(raptor: Raptor, batch: Batch, seed: int = 5) -> Mapping[str, Tensor]:
    torch.manual_seed(seed)
    return raptor.loss(batch, FIRST)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def groups(*shape: int) -> Tensor:
    """Tokens that are all but a few directions, so that most pairs are either alike or not."""
    random = torch.Generator().manual_seed(2)
    kinds = torch.randn(4, shape[-1], generator=random)
    chosen = kinds[torch.randint(4, shape[:-1], generator=random)]
    return chosen + 0.05 * torch.randn(shape, generator=random)


def smooth(*shape: int) -> Tensor:
    """Tokens that change slowly from place to place, frame to frame and clip to clip."""
    B, T, N, D = shape
    phase = (
        torch.arange(B).view(B, 1, 1, 1)
        + 0.2 * torch.arange(T).view(T, 1, 1)
        + torch.arange(N).view(N, 1) / N
    )
    return torch.sin(phase * torch.arange(1, D + 1)) + 0.5


def lonely(*shape: int) -> Tensor:
    """One token like no other; all others the same."""
    tokens = torch.ones(shape)
    tokens[..., 0, :] = torch.linspace(-1, 1, shape[-1])
    return tokens


def blank(*shape: int) -> Tensor:
    """Some tokens are nothing at all."""
    tokens = noise(*shape)
    tokens[..., ::3, :] = 0
    return tokens


def plain_term(one: Tensor, one_shares: Tensor, two: Tensor, two_shares: Tensor, shift: float) -> float:
    """Of two frames (N, D), pair of tokens by pair of tokens, with the paper's cut at zero."""
    alike = functional.cosine_similarity(one[:, None], two[None], dim=2)
    parts = functional.cosine_similarity(one_shares[:, None], two_shares[None], dim=2)
    total = 0.0
    for row in range(len(one)):
        centred = alike[row] - alike[row].mean()
        for column in range(len(two)):
            total -= float((centred[column] - shift) * parts[row, column].clamp(min=0))
    return total / (len(one) * len(two))


def plain_terms(
    features: Tensor, shares: Tensor, seed: int, before: Callable[[], object]
) -> dict[str, float]:
    """The means over clips and frames; the same frames and other clips are drawn, after what is drawn before them."""
    B, T = features.shape[:2]
    torch.manual_seed(seed)
    before()
    frame = torch.randint(T, (B,))
    other = (torch.arange(B) + torch.randint(1, max(B, 2), (B,))) % B
    sums = dict.fromkeys(SHIFTS, 0.0)
    for clip in range(B):
        assert B == 1 or other[clip] != clip
        for time in range(T):
            here = features[clip, time], shares[clip, time]
            partners = {
                "self": (*here, *here),
                "clip": (features[clip, frame[clip]], shares[clip, frame[clip]], *here),
                "other": (*here, features[other[clip], time], shares[other[clip], time]),
            }
            for name, pair in partners.items():
                sums[name] += plain_term(*pair, SHIFTS[name])
    return {name: total / (B * T) for name, total in sums.items()}


class TestLoss:
    @pytest.mark.parametrize("tokens", [noise, groups, smooth, lonely, blank])
    @pytest.mark.parametrize("shift", [-0.4, 0.0, 0.3])
    def test_a_comparison_of_frames_is_the_loop_over_pairs(
        self, tokens: Callable[..., Tensor], shift: float
    ) -> None:
        features = tokens(2, 2, 9, 7)
        shares = (3 * features[..., :5]).softmax(dim=-1)
        sums = sums_of(features, shares)
        other = sums_of(features.flip(0), shares.flip(0))
        found = correspondence(sums, other, shift)
        for clip in range(2):
            for frame in range(2):
                pair = (
                    features[clip, frame],
                    shares[clip, frame],
                    features[1 - clip, frame],
                    shares[1 - clip, frame],
                )
                assert float(found[clip, frame]) == pytest.approx(plain_term(*pair, shift), abs=1e-5)

    def test_without_a_shift_parcels_that_are_all_the_same_have_no_loss(self) -> None:
        sums = sums_of(noise(2, 3, 9, 7), torch.ones(2, 3, 9, 4) / 4)
        torch.testing.assert_close(correspondence(sums, sums, 0.0), torch.zeros(2, 3), atol=1e-6, rtol=0)
        torch.testing.assert_close(correspondence(sums, sums, 0.3), torch.full((2, 3), 0.3))

    def test_parcels_that_follow_the_features_have_the_lowest_loss(self) -> None:
        features = torch.eye(4).repeat(1, 1, 5, 1) + 0.01
        follow, mixed = (
            functional.one_hot(torch.arange(20) % 4).float(),
            functional.one_hot(torch.arange(20) // 5).float(),
        )
        one, other = (
            correspondence(*(sums_of(features, shares[None, None]),) * 2, 0.3) for shares in (follow, mixed)
        )
        assert one < 0 < other

    @pytest.mark.parametrize(
        "settings",
        [{}, {"class_token": True}, {"tokens": 7}, {"class_token": True, "tokens": 5}, {"tokens": 99}],
        ids=str,
    )
    @pytest.mark.parametrize("shape", [(3, 4), (2, 1), (4, 2)])
    def test_all_three_terms_are_those_of_the_loop(
        self, shape: tuple[int, int], settings: dict[str, Any]
    ) -> None:
        raptor, batch = method(**settings), clips(*shape)
        found = losses_of(raptor, batch)
        torch.manual_seed(5)
        with torch.no_grad():
            features, scores = raptor._tokens(batch.views["clip"][0])
        every = 16 + raptor.config.class_token
        count = min(raptor.config.tokens or every, every)
        assert features.shape == (*shape, count, 24)
        is_drawn = raptor.config.tokens is not None and raptor.config.tokens < every
        drawing: Callable[[], object] = (
            (lambda: torch.rand(shape[0] * shape[1], every)) if is_drawn else (lambda: None)
        )
        expected = plain_terms(features, scores.softmax(dim=-1), 5, drawing)
        for name, term in expected.items():
            assert float(found[name]) == pytest.approx(term, abs=1e-5)
        config = raptor.config
        whole = sum(getattr(config, f"{name}_weight") * term for name, term in expected.items())
        assert float(found["loss"].detach()) == pytest.approx(whole, abs=1e-5)

    def test_tokens_are_what_the_encoder_sees_of_each_frame(self) -> None:
        raptor, batch = method(class_token=True), clips()
        features, scores = raptor._tokens(batch.views["clip"][0])
        for clip in range(3):
            for frame in range(4):
                seen = raptor.backbone(batch.views["clip"][0][clip, :, frame][None])
                expected = torch.cat([seen.vector, seen.map[0].flatten(1).T])
                torch.testing.assert_close(features[clip, frame], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(scores, raptor.head(features))

    def test_tokens_that_are_drawn_are_different_ones_of_their_frame(self) -> None:
        raptor, tokens = method(tokens=5), torch.arange(4 * 16).view(4, 16, 1)
        drawn = raptor._drawn(tokens)
        for own, every in zip(drawn, tokens, strict=True):
            assert len(own.unique()) == 5
            assert torch.isin(own, every).all()
        assert not raptor._drawn(tokens).equal(drawn)

    def test_one_clip_alone_has_no_other_and_all_is_finite(self) -> None:
        losses = losses_of(method(), clips(samples=1))
        assert losses["other"] == 0
        assert all(value.isfinite() for value in losses.values())
        torch.autograd.backward(losses["loss"])

    def test_images_are_clips_of_one_frame(self) -> None:
        raptor, batch = method(), clips(frames=1)
        images = replace(batch, views={"clip": [batch.views["clip"][0][:, :, 0]]})
        assert losses_of(raptor, images)["loss"].equal(losses_of(raptor, batch)["loss"])
        assert losses_of(raptor, images)["stability"] == 1


class TestEncoder:
    @pytest.mark.parametrize("backbone", [Dropping, Tiny, lambda: small_vit(drop_path=0.5)])
    def test_it_is_never_in_training_and_stays_bit_for_bit(self, backbone: Callable[[], Backbone]) -> None:
        raptor, batch = method(backbone()).train(), clips()
        before, head = copy.deepcopy(raptor.backbone.state_dict()), copy.deepcopy(raptor.head.state_dict())
        optimiser = torch.optim.Adam([each for each in raptor.parameters() if each.requires_grad], lr=5e-3)
        for step in range(4):
            raptor.train()
            losses = losses_of(raptor, batch, step)
            optimiser.zero_grad()
            torch.autograd.backward(losses["loss"])
            optimiser.step()
            assert not any(module.training for module in raptor.backbone.modules())
            assert all(weight.grad is None for weight in raptor.backbone.parameters())
        assert all(tensor.equal(before[name]) for name, tensor in raptor.backbone.state_dict().items())
        assert not any(tensor.equal(head[name]) for name, tensor in raptor.head.state_dict().items())

    def test_what_it_sees_does_not_hang_on_the_seed(self) -> None:
        raptor, batch = method(Dropping()).train(), clips()
        seen = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            seen.append(raptor._tokens(batch.views["clip"][0])[0])
        assert seen[0].equal(seen[1])

    def test_the_head_alone_has_dropout_where_asked_for(self) -> None:
        raptor, batch = method(head={"parcels": 6, "dropout": 0.5}).train(), clips()
        assert not losses_of(raptor, batch, 1)["self"].equal(losses_of(raptor, batch, 2)["self"])
        raptor.eval()
        assert losses_of(raptor, batch, 1)["self"].equal(losses_of(raptor, batch, 2)["self"])
