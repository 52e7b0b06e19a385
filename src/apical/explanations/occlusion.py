"""Occlusion: how much less is thought of an answer where a part of the clip is faded (Zeiler and Fergus 2014).

A block of the picture is faded in all frames, one block after the other; then one frame after the other is faded whole.
Faded is the mean grey of the surroundings and of all frames: no edge, no speckle, no motion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from apical.explanations._fading import as_clips, faded, like
from apical.explanations.base import Evidence, Explanation, ExplanationConfig, Saliency, in_shares
from apical.networks.base import Network

__all__ = ["Occlusion"]


class OcclusionConfig(ExplanationConfig):
    """Settings of occlusion."""

    name: Literal["occlusion"] = "occlusion"
    blocks: int = Field(default=7, ge=2, le=64)
    """Blocks down, and as many across."""
    width: float = Field(default=1.5, ge=1, le=8)
    """How far a block reaches from its centre, in distances from one to the next; the last one of them fades out."""
    reach: float = Field(default=0.1, gt=0, le=0.5)
    """How far around a pixel its mean grey is taken, as a share of the picture's shorter side."""
    at_once: int = Field(default=16, gt=0)
    """Faded clips that the network looks at together."""


class Occlusion(Explanation):
    """Slow, but it takes any encoder, and what it says has been tried: one pass a block and a frame."""

    Config = OcclusionConfig
    config: OcclusionConfig

    def explain(self, network: Network, images: Tensor, evidence: Evidence) -> Saliency:
        """Where, by blocks; when, by frames; the maps are the product of both."""
        both = [self._of_one(network, image[None], evidence) for image in images]
        places = torch.stack([where for where, _ in both])
        frames = in_shares(torch.stack([when for _, when in both]))
        weights = torch.where(frames.amax(dim=1, keepdim=True) > 0, frames, 1.0)
        maps = in_shares(places)[:, None] * weights[:, :, None, None]
        return Saliency(maps, frames, (self.config.blocks, self.config.blocks))

    def _of_one(self, network: Network, image: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
        """Falls of the log-odds (H, W) and (T,)."""
        clip = as_clips(image)
        T, H, W = clip.shape[2:]
        blocks = _blocks(H, W, self.config).to(clip)
        moments = torch.eye(T).to(clip)[:, :, None, None]
        falls = self._falls(network, image, evidence, [*blocks[:, None], *moments])
        by_block, by_frame = falls[: len(blocks)], falls[len(blocks) :]
        covered = blocks.sum(dim=0)
        return (by_block.clamp(min=0)[:, None, None] * blocks).sum(dim=0) / covered, by_frame

    @torch.no_grad()
    def _falls(self, network: Network, image: Tensor, evidence: Evidence, masks: list[Tensor]) -> Tensor:
        """(N,): by how much the log-odds fall if the clip is faded where masks (T or 1, H or 1, W or 1) are 1."""
        before = evidence(network(image))
        clip = as_clips(image)
        grey = faded(clip, self.config.reach)
        falls = [
            before
            - evidence(network(like(torch.cat([clip.lerp(grey, mask[None, None]) for mask in part]), image)))
            for part in _parts(masks, self.config.at_once)
        ]
        return torch.cat(falls).float()


def _parts(masks: list[Tensor], count: int) -> Iterator[list[Tensor]]:
    for start in range(0, len(masks), count):
        yield masks[start : start + count]


def _blocks(height: int, width: int, config: OcclusionConfig) -> Tensor:
    """(N, H, W): 1 in each block, fading to 0 around it, as hard edges would be news to the network."""
    rows, columns = (_bands(size, config) for size in (height, width))
    return (rows[:, None, :, None] * columns[None, :, None, :]).flatten(0, 1)


def _bands(size: int, config: OcclusionConfig) -> Tensor:
    """(blocks, size): 1 at its centre; together they reach everywhere."""
    step = size / config.blocks
    centres = (torch.arange(config.blocks) + 0.5) * step
    places = torch.arange(size) + 0.5
    return (config.width - (places - centres[:, None]).abs() / step).clamp(0, 1)
