"""The vision transformer is DINO's, for any size of image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from apical.backbones.vit_small import ViTSmall, resized_positions
from apical.config import PieceConfig, read_config
from apical.errors import ApicalError
from tests.backbones.material import grey_images, lived_in


def tiny(**settings: object) -> ViTSmall:
    torch.manual_seed(0)
    shape = {"patch": 4, "image_size": 32, "dim": 24, "depth": 3, "heads": 2, **settings}
    return lived_in(ViTSmall(ViTSmall.Config.model_validate(shape)))


def slow_tokens(state: dict[str, Tensor], images: Tensor, patch: int, heads: int, depth: int) -> Tensor:
    """The tokens (B, 1 + N, D) after the last norm, an operation at a time, for the grid of the positions."""

    def norm(x: Tensor, at: str) -> Tensor:
        apart = x - x.mean(-1, keepdim=True)
        scaled = apart / (apart.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * state[f"{at}.weight"] + state[f"{at}.bias"]

    def linear(x: Tensor, at: str) -> Tensor:
        return x @ state[f"{at}.weight"].T + state[f"{at}.bias"]

    rows = images.unfold(2, patch, patch).unfold(3, patch, patch)[:, 0].flatten(3).flatten(1, 2)
    patches = rows @ state["patch_embed.proj.weight"].flatten(1).T + state["patch_embed.proj.bias"]
    x = torch.cat([state["cls_token"].expand(len(images), -1, -1), patches], 1) + state["pos_embed"]
    for block in (f"blocks.{index}" for index in range(depth)):
        queries, keys, values = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv").chunk(3, -1)
        seen = []
        for q, k, v in zip(*(each.chunk(heads, -1) for each in (queries, keys, values)), strict=True):
            seen.append(((q @ k.mT) / q.shape[-1] ** 0.5).softmax(-1) @ v)
        x = x + linear(torch.cat(seen, -1), f"{block}.attn.proj")
        hidden = functional.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + linear(hidden, f"{block}.mlp.fc2")
    return norm(x, "norm")


def test_it_computes_what_a_slow_transformer_does() -> None:
    backbone, images = tiny(), grey_images(2, 1, 32, 32)
    with torch.no_grad():
        tokens = slow_tokens(backbone.net.state_dict(), images, patch=4, heads=2, depth=3)
        vector, places = backbone(images)
    torch.testing.assert_close(vector, tokens[:, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(places.flatten(2).mT, tokens[:, 1:], rtol=1e-4, atol=1e-5)


def test_the_default_is_vit_s_with_the_published_number_of_weights() -> None:
    backbone = ViTSmall(ViTSmall.Config(patch=8, image_size=224))
    weights = sum(weight.numel() for weight in backbone.parameters())
    assert weights == 21_670_272 - 2 * 64 * 384  # DINO's ViT-S/8, one channel instead of three


def test_only_whole_patches_are_used() -> None:
    backbone, images = tiny(), grey_images(1, 1, 25, 27)
    with torch.no_grad():
        assert torch.equal(backbone(images).map, backbone(images[..., :24, :24]).map)
        assert backbone(images).map.shape[2:] == (6, 6)


def test_positions_between_the_learned_ones_lie_between_them() -> None:
    ramp = torch.cartesian_prod(torch.arange(14.0), torch.arange(14.0))
    positions = torch.cat([torch.tensor([[[7.0, 9.0]]]), ramp[None]], 1)
    resized = resized_positions(positions, 7, 28)
    assert torch.equal(resized[:, :1], positions[:, :1])
    y, x = resized[0, 1:].reshape(7, 28, 2).unbind(-1)
    inner_y = ((torch.arange(7) + 0.5) * 14 / 7 - 0.5)[1:-1].view(-1, 1)
    inner_x = ((torch.arange(28) + 0.5) * 14 / 28 - 0.5)[4:-4].view(1, -1)
    torch.testing.assert_close(y[1:-1, 4:-4], inner_y.expand(5, 20), rtol=0, atol=1e-4)
    # Torch's bicubic kernel bends straight lines by up to 0.047 of a step, a quarter of the way between two places.
    torch.testing.assert_close(x[1:-1, 4:-4], inner_x.expand(5, 20), rtol=0, atol=0.05)


@pytest.mark.parametrize(("height", "width"), [(5, 9), (12, 3), (7, 7)])
def test_positions_are_resized_as_torch_resizes_images(height: int, width: int) -> None:
    positions = torch.randn(1, 50, 6, generator=torch.Generator().manual_seed(0))
    image = positions[:, 1:].mT.reshape(1, 6, 7, 7)
    expected = functional.interpolate(image, (height, width), mode="bicubic").flatten(2).mT
    torch.testing.assert_close(resized_positions(positions, height, width)[:, 1:], expected)


def test_every_position_learns_from_a_small_crop() -> None:
    backbone = tiny()
    backbone(grey_images(1, 1, 28, 28)).vector.square().sum().backward()
    assert backbone.net.pos_embed.grad.abs().amax(-1).gt(0).all()


def test_heads_that_do_not_share_the_features_evenly_are_refused() -> None:
    class Settings(PieceConfig):
        backbone: ViTSmall.Config  # type: ignore[valid-type]

    with pytest.raises(ApicalError, match=r"backbone\.heads.*dim=24 can't be shared"):
        read_config(Settings, name="x", backbone={"dim": 24, "heads": 5})


def test_dropped_paths_are_drawn_in_training_only() -> None:
    backbone, images = tiny(drop_path=0.9), grey_images(4, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(backbone(images).vector, backbone(images).vector)
        backbone.train()
        assert not torch.equal(backbone(images).vector, backbone(images).vector)
