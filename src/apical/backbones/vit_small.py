"""ViT-S: grey images of any size go in, a class token and a map of patch tokens come out (Caron 2021, DINO)."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from apical.backbones._foreign import IMAGENET, Published, Scale, grey_stem
from apical.backbones._timm import from_timm
from apical.backbones.base import Backbone, BackboneConfig, Features
from apical.errors import ApicalError

__all__ = ["ViTSmall"]

POSITIONS = "net.pos_embed"
PATCHES = "net.patch_embed.proj.weight"


class ViTSmallConfig(BackboneConfig):
    """Settings of the vision transformer."""

    name: Literal["vit_small"] = "vit_small"
    patch: Literal[4, 8, 16] = 8
    """Side of a patch in pixels: halving it makes four times as many tokens."""
    image_size: int = Field(default=112, ge=16, le=4096)
    """Side of the images whose grid the learned positions have; they are interpolated for others."""
    dim: int = Field(default=384, gt=0)
    """Features of a token."""
    depth: int = Field(default=12, gt=0)
    """Blocks."""
    heads: int = Field(default=6, gt=0)
    """Attention heads of a block; they share `dim` evenly."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """How often the last block is left out in training; earlier ones less, the first never."""

    @field_validator("heads")
    @classmethod
    def _share_evenly(cls, heads: int, info: ValidationInfo) -> int:
        if "dim" in info.data and info.data["dim"] % heads:
            raise ValueError(f"dim={info.data['dim']} can't be shared evenly among so many heads")
        return heads


class ViTSmall(Backbone):
    """ViT-S: 384 features, 12 blocks, 6 heads, learned positions, layer norms with epsilon 1e-6."""

    Config = ViTSmallConfig
    foreign: ClassVar[Mapping[str, Scale]] = {"dino": IMAGENET}

    def __init__(self, config: ViTSmallConfig) -> None:
        super().__init__(config)
        self.config = config
        self.net = timm_net(config)
        self.num_features = config.dim
        self.stride = self.smallest = config.patch
        self.grid = config.image_size // config.patch

    def features(self, images: Tensor) -> Features:
        """The class token (B, D) and the patches' tokens (B, D, h, w) after the last norm; whole patches only."""
        patches: Tensor = self.net.patch_embed.proj(images)
        B, D, h, w = patches.shape
        patches = patches.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.net.cls_token.expand(B, -1, -1), patches], 1) + self._positions(h, w)
        self._choose_attention(images.device)
        tokens = self.net.norm(self.net.blocks(tokens))
        return Features(vector=tokens[:, 0], map=tokens[:, 1:].transpose(1, 2).reshape(B, D, h, w))

    def _choose_attention(self, device: torch.device) -> None:
        """Take fused attention, but not in bf16 on a CPU, where it takes a third longer than plain products."""
        is_fused = device.type != "cpu" or not torch.is_autocast_enabled("cpu")
        for block in self.net.blocks:
            block.attn.fused_attn = is_fused

    def _positions(self, height: int, width: int) -> Tensor:
        """The positions (1, 1 + height · width, D) of a grid."""
        positions: Tensor = self.net.pos_embed
        is_learned = (height, width) == (self.grid, self.grid)
        return positions if is_learned else resized_positions(positions, height, width)

    def published(self) -> Mapping[str, Published]:
        """DINO's own ImageNet weights."""
        c = self.config
        is_theirs = (c.dim, c.depth, c.heads) == (384, 12, 6) and c.patch in (8, 16)
        return {"dino": from_timm(f"vit_small_patch{c.patch}_224.dino")} if is_theirs else {}

    def adopted(self, tensors: Mapping[str, Tensor], scale: Scale) -> dict[str, Tensor]:
        """Tensors as DINO and timm name them, three channels in."""
        own = {f"net.{name}": tensor for name, tensor in tensors.items()}
        return grey_stem(own, scale, conv=PATCHES, absorber="net.patch_embed.proj.bias", sign=-1)

    def resized(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """With the positions of another grid interpolated; patches of another size are an error."""
        there = tensors[PATCHES].shape[-1] if PATCHES in tensors and tensors[PATCHES].ndim else self.stride
        if there != self.stride:
            raise ApicalError(
                "These weights are for patches of another size",
                seen=f"patches of {there} pixels there, of {self.stride} here",
                remedy=f"Set backbone.patch={there}, or start from other weights.",
            )
        positions = tensors.get(POSITIONS)
        if positions is None or positions.ndim != 3 or positions.shape[1] < 2:
            return dict(tensors)
        side = isqrt(positions.shape[1] - 1)
        if side == self.grid or side**2 != positions.shape[1] - 1:
            return dict(tensors)
        return {**tensors, POSITIONS: resized_positions(positions.float(), self.grid, self.grid)}


def timm_net(config: ViTSmallConfig) -> Any:
    """The net as timm builds it, with random weights as DINO draws them."""
    net = VisionTransformer(
        img_size=config.image_size,
        patch_size=config.patch,
        in_chans=1,
        num_classes=0,
        embed_dim=config.dim,
        depth=config.depth,
        num_heads=config.heads,
        drop_path_rate=config.drop_path,
    )
    assert net.cls_token is not None
    nn.init.trunc_normal_(net.cls_token, std=0.02)  # timm's own is almost nothing
    return net


def resized_positions(positions: Tensor, height: int, width: int) -> Tensor:
    """Learned positions (1, 1 + N, D) of a square grid, bicubically for another grid; the class token's is kept.

    Two products with interpolation matrices: unlike torch's own bicubic resizing, their gradient is the same
    every time on every device.
    """
    D = positions.shape[-1]
    side = isqrt(positions.shape[1] - 1)
    rows, columns = (bicubic_matrix(side, size, positions) for size in (height, width))
    with torch.autocast(positions.device.type, enabled=False):
        tall = (rows @ positions[0, 1:].reshape(side, side * D)).reshape(height, side, D)
        grid = (columns @ tall).reshape(1, height * width, D)
    return torch.cat([positions[:, :1], grid], 1)


def bicubic_matrix(old: int, new: int, like: Tensor) -> Tensor:
    """(new, old): takes values on a line of `old` places to `new` places."""
    identity = torch.eye(old, dtype=like.dtype, device=like.device)
    return functional.interpolate(identity[None, None], size=(new, old), mode="bicubic")[0, 0]
