"""Grad-CAM: where in the last map of an encoder an answer comes from (Selvaraju 2017).

Encoders here pool that map to their vector by its mean, so the gradient is the same at each place. Then Grad-CAM is
what each place adds to the log-odds, and nothing but the layers after the encoder has to be run backwards.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones.base import Features
from apical.errors import ApicalError
from apical.explanations.base import Evidence, Explanation, ExplanationConfig, Saliency, in_shares
from apical.networks.base import Network

__all__ = ["GradCam"]

NEAR = 1e-3
"""How far, beside its largest value, the vector may be from the map's mean: sums are rounded."""


class GradCamConfig(ExplanationConfig):
    """Settings of Grad-CAM: there are none."""

    name: Literal["gradcam"] = "gradcam"


class GradCam(Explanation):
    """Quick: one pass a clip. It sees no finer than the encoder's last map."""

    Config = GradCamConfig

    def explain(self, network: Network, images: Tensor, evidence: Evidence) -> Saliency:
        """What the places of the last map add to the log-odds, spread over the clip."""
        last, gradient = _map_and_gradient(network, images, evidence)
        places = (gradient * last).sum(dim=1, keepdim=True).clamp(min=0)
        places = places if places.ndim == 5 else places[:, :, None]
        size = images.shape[2:] if images.ndim == 5 else (1, *images.shape[2:])
        maps = functional.interpolate(places, tuple(size), mode="trilinear")[:, 0]
        height, width = places.shape[-2:]
        return Saliency(in_shares(maps), in_shares(maps.mean(dim=(2, 3))), (height, width))


def _map_and_gradient(network: Network, images: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
    """The last map (B, D, t, h, w), or (B, D, h, w), and the gradient of the log-odds there."""
    seen: list[Tensor] = []

    def pool_again(module: nn.Module, inputs: Any, features: Features) -> Features:
        del module, inputs
        seen.append(features.map.detach().float().requires_grad_())
        pooled = seen[0].flatten(2).mean(dim=2)
        _refuse_other_vectors(pooled, features.vector)
        return Features(pooled, seen[0])

    hook = network.backbone.register_forward_hook(pool_again)
    try:
        with torch.enable_grad():
            log_odds = evidence(network(images))
            (gradient,) = torch.autograd.grad(log_odds.sum(), seen[0])
    finally:
        hook.remove()
    return seen[0].detach(), gradient


def _refuse_other_vectors(pooled: Tensor, vector: Tensor) -> None:
    """A class token, say, is no mean of the map: the map's places are not what the answer was made of."""
    if (pooled - vector).abs().max() > NEAR * vector.abs().max():
        raise ApicalError(
            "Grad-CAM can't explain this encoder: its vector is not the mean of its map",
            seen="a class token, as transformers have",
            remedy="Take --way occlusion, which works with any encoder.",
        )
