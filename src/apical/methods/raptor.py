"""RAPTOR (Majchrowska 2023): what a frozen transformer sees as alike becomes one parcel, the same through a clip.

A head gives each token shares of K parcels. Two tokens' shares should be alike where their features are more alike
than `shift`, after the mean over the tokens that one is compared with was taken away, and unlike elsewhere. Tokens are
compared within a frame, with those of another frame of the clip, and with those of another clip: the last is what
keeps a parcel from meaning another thing in each clip, and the second what keeps it in place over time (STRAPTOR).

No matrix of tokens by tokens is made. The sum over pairs of (f·f')(s·s') is the product of two small matrices, each
the sum over tokens of f⊗s; so each frame is worked through once, whatever it is compared with.

Two ways to cheat end training: one parcel for every token (`alive` goes to 1) and the same shares for every token
(`entropy` goes to 1). In both, `information`, what a token tells of its parcel, goes to 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.config import PieceConfig
from apical.errors import ApicalError
from apical.methods._parcel_head import ParcelHead, ParcelHeadConfig
from apical.methods._spread import spread
from apical.methods.base import Losses, Method
from apical.moment import Moment

__all__ = ["Raptor", "RaptorConfig", "Sums", "correspondence", "sums_of"]

SHORTEST = 1e-12
WHOLE_FRAME = {"scale": [1.0, 1.0], "ratio": [1.0, 1.0], "flip_probability": 0.0}


class RaptorConfig(PieceConfig):
    """Settings of RAPTOR, by default those of the paper."""

    name: Literal["raptor"] = "raptor"
    head: ParcelHeadConfig = ParcelHeadConfig()
    """What makes parcels of tokens."""
    self_weight: float = Field(default=1.0, ge=0)
    """How much tokens of the same frame count."""
    clip_weight: float = Field(default=0.5, ge=0)
    """How much tokens of another frame of the same clip count; with 0 it is RAPTOR without time."""
    other_weight: float = Field(default=1.0, ge=0)
    """How much tokens of another clip count."""
    self_shift: float = 0.3
    """How alike features of the same frame must be for parcels to attract each other; more makes more parcels."""
    clip_shift: float = 0.3
    """The same for features of another frame of the clip."""
    other_shift: float = 0.3
    """The same for features of another clip."""
    tokens: int | None = Field(default=None, gt=0)
    """Tokens of a frame that are compared, drawn anew each step; null compares all."""
    class_token: bool = False
    """Compare the class token too, as the released code does."""


class Raptor(Method):
    """A head on a backbone that learns nothing, and is never in training mode."""

    Config = RaptorConfig
    view_groups: ClassVar[tuple[str, ...]] = ("clip",)
    watched: ClassVar[tuple[str, ...]] = ("alive", "entropy", "information", "stability")
    reads_traces: ClassVar[bool] = True
    trains_backbone: ClassVar[bool] = False
    defaults: ClassVar[Mapping[str, Any]] = {
        "backbone": {"name": "vit_small", "patch": 8},
        "sampling": {"name": "clips", "frames": 16, "stride": 2},
        "optimiser": {"name": "adam", "lr": 5e-3},
        "schedule": {"shape": "constant", "warmup_epochs": 0},
        "batch_size": 5,
        "epochs": 50,
        "score": "last",
    }
    advice: ClassVar[str] = (
        "Lower the learning rate (optimiser.lr), or the shifts (method.self_shift and the others), "
        "which 'apical parcels' on the backbone's run helps to choose."
    )
    config: RaptorConfig

    def __init__(self, config: RaptorConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        if config.class_token and config.head.levels is not None:
            raise ApicalError(
                "A class token goes with the last map alone",
                remedy="Set method.head.levels=null, or no class token.",
            )
        self.head = ParcelHead(backbone, config.head)
        self.backbone.requires_grad_(False).eval()

    @property
    def heads(self) -> Mapping[str, torch.nn.Module]:
        """The parcels."""
        return {"head": self.head}

    @classmethod
    def default_views(cls, size: int) -> Mapping[str, Any]:
        """Whole frames as they are."""
        del size
        return {"clip": {"count": 1, "size": None, "crop": WHOLE_FRAME}}

    def train(self, mode: bool = True) -> Raptor:
        """The backbone stays as it is."""
        super().train(mode)
        self.backbone.eval()
        return self

    def loss(self, batch: Batch, moment: Moment) -> Losses:
        """The three comparisons and their weighted sum, and what became of the parcels."""
        del moment
        clips = batch.views["clip"][0]
        features, scores = self._tokens(clips if clips.ndim == 5 else clips[:, :, None])
        with torch.autocast(features.device.type, enabled=False):
            shares = scores.float().softmax(dim=-1)
            terms = self._terms(sums_of(features.float(), shares))
        config = self.config
        total = (
            config.self_weight * terms["self"]
            + config.clip_weight * terms["clip"]
            + config.other_weight * terms["other"]
        )
        return {
            "loss": total,
            **{name: term.detach() for name, term in terms.items()},
            "spread": spread(functional.normalize(scores.detach().float().flatten(0, 2), dim=1)),
            **state_of(shares.detach()),
        }

    def traced_figures(self, images: Tensor, masks: Tensor) -> Mapping[str, float]:
        """`purity`: the share of pixels that lie where most of their parcel lies, in a structure or in none."""
        scores = self.head.maps(self.head.seen(self.backbone, images)).float()
        parcels = functional.interpolate(scores, images.shape[-2:], mode="bilinear").argmax(dim=1).flatten()
        answers = masks.to(parcels.device)
        places = torch.where(answers.amax(dim=1) > 0.5, answers.argmax(dim=1) + 1, 0).flatten()
        kinds = answers.shape[1] + 1
        counts = torch.bincount(parcels * kinds + places, minlength=self.config.head.parcels * kinds)
        return {"purity": float(counts.reshape(-1, kinds).amax(dim=1).sum() / len(parcels))}

    def _tokens(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, N, D) of clips (B, 1, T, H, W), and scores (B, T, N, K)."""
        B, T = clips.shape[0], clips.shape[2]
        with torch.no_grad():
            images = clips.transpose(1, 2).flatten(0, 1)
            if self.config.class_token:
                seen = self.backbone(images)
                tokens = torch.cat([seen.vector[:, None], seen.map.flatten(2).mT], dim=1)
            else:
                tokens = self.head.seen(self.backbone, images).flatten(2).mT
            tokens = self._drawn(tokens)
            tokens = tokens.reshape(B, T, *tokens.shape[1:])
        return tokens, self.head(tokens)

    def _drawn(self, tokens: Tensor) -> Tensor:
        """Some tokens of each frame (B, N, D), at random."""
        count = self.config.tokens
        if count is None or count >= tokens.shape[1]:
            return tokens
        chosen = torch.rand(tokens.shape[:2]).to(tokens.device).topk(count, dim=1).indices
        return tokens.gather(1, chosen[..., None].expand(-1, -1, tokens.shape[2]))

    def _terms(self, sums: Sums) -> dict[str, Tensor]:
        """Means over clips, frames and pairs of tokens; without another clip there is nothing to compare with."""
        B, T = sums.weights.shape[:2]
        rows = torch.arange(B, device=sums.weights.device)
        frame = torch.randint(T, (B,)).to(rows.device)
        other = (rows + torch.randint(1, max(B, 2), (B,)).to(rows.device)) % B
        config = self.config
        chosen = Sums(*(part[rows, frame][:, None] for part in sums))
        others = Sums(*(part[other] for part in sums))
        has_other = float(B > 1)
        return {
            "self": correspondence(sums, sums, config.self_shift).mean(),
            "clip": correspondence(chosen, sums, config.clip_shift).mean(),
            "other": has_other * correspondence(sums, others, config.other_shift).mean(),
        }


class Sums(NamedTuple):
    """All that comparisons need of the tokens of a frame: means over them."""

    products: Tensor
    """(..., D, K): of features times shares."""
    features: Tensor
    """(..., D): of features."""
    weights: Tensor
    """(..., K): of shares."""


def sums_of(features: Tensor, shares: Tensor) -> Sums:
    """Of tokens' features (..., N, D) and shares of parcels (..., N, K), each taken at length 1."""
    count = features.shape[-2]
    parts = functional.normalize(shares, dim=-1)
    # a token's length is taken from its few shares, so that its many features are read but once
    weights = 1 / torch.linalg.vector_norm(features, dim=-1, keepdim=True).clamp(min=SHORTEST)
    products = features.mT @ torch.cat([parts * weights, weights], dim=-1) / count
    return Sums(products[..., :-1], products[..., -1], parts.mean(dim=-2))


def correspondence(one: Sums, other: Sums, shift: float) -> Tensor:
    """(...): minus the mean over pairs of tokens of how alike their shares are, times how alike their features are.

    From the latter, the mean over the other frame's tokens is taken away, and `shift`. Shares are never unlike: the
    paper's cut at zero changes nothing.
    """
    alike = (one.products * other.products).sum(dim=(-2, -1))
    centre = (one.products * other.features[..., None]).sum(dim=-2)
    return ((centre + shift * one.weights) * other.weights).sum(dim=-1) - alike


def state_of(shares: Tensor) -> dict[str, Tensor]:
    """What became of parcels, by the shares (B, T, N, K) that tokens have of them."""
    K = shares.shape[-1]
    flat = shares.flatten(0, 2)
    winners = shares.argmax(dim=-1)
    entropy = torch.special.entr(flat).sum(dim=1).mean() / math.log(K)
    common = torch.special.entr(flat.mean(dim=0)).sum() / math.log(K)
    stays = (winners[:, 1:] == winners[:, :-1]).float().mean() if shares.shape[1] > 1 else flat.new_ones(())
    return {
        "alive": (torch.bincount(winners.flatten(), minlength=K) > 0).sum().float(),
        "entropy": entropy,
        "information": common - entropy,
        "stability": stays,
    }
