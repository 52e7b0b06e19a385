"""Starting weights: all of them or an error, and the same function in grey as in colour."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import torchvision
import yaml
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from apical import registry
from apical.backbones._foreign import IMAGENET
from apical.backbones.base import Backbone
from apical.checkpoint import write_tensors
from apical.errors import ApicalError
from apical.run import Run, RunCard
from apical.weights import WeightsCard, start_weights
from tests.backbones.material import grey_images, lived_in

TINY: dict[str, Any] = {"patch": 8, "image_size": 32, "dim": 24, "depth": 2, "heads": 2}


def started(name: str, init: str, **settings: object) -> tuple[Backbone, WeightsCard]:
    kind = registry.load("backbones", name)
    config = kind.Config(**settings)
    torch.manual_seed(99)
    backbone: Backbone = kind(config).eval()
    return backbone, start_weights(backbone, config, init)


def imagenet_colours(grey: Tensor) -> Tensor:
    """As the makers of ImageNet weights would show a grey image to their nets."""
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in IMAGENET)
    return (grey.expand(-1, 3, -1, -1) - mean) / std


@pytest.fixture(scope="module")
def coloured_resnet() -> nn.Module:
    torch.manual_seed(0)
    net: nn.Module = torchvision.models.resnet18(weights=None)
    return lived_in(net)


@pytest.fixture(scope="module")
def coloured_vit() -> VisionTransformer:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2}
    return lived_in(VisionTransformer(**shape, num_classes=0))


@pytest.fixture
def resnet_file(coloured_resnet: nn.Module, tmp_path: Path) -> Path:
    torch.save(coloured_resnet.state_dict(), tmp_path / "resnet18.pth")
    return tmp_path / "resnet18.pth"


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_every_tensor_of_an_imagenet_file_is_taken_and_its_head_is_named(
    coloured_resnet: nn.Module, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"resnet18{suffix}"
    save: Callable[..., Any] = save_file if suffix == ".safetensors" else torch.save
    save(coloured_resnet.state_dict(), path)
    backbone, card = started("resnet18", f"imagenet:{path}")
    assert card.num_tensors == len(coloured_resnet.state_dict()) - 2
    assert card.left_out == ("fc",)
    assert card.origin == str(path)
    assert str(path) in card.licence
    assert (card.input_mean, card.input_std) == pytest.approx((0.449, 0.226))
    last = coloured_resnet.state_dict()["layer4.1.conv2.weight"]
    assert torch.equal(backbone.state_dict()["net.layer4.1.conv2.weight"], last)


def test_a_folded_stem_sees_in_grey_what_it_saw_in_colour(
    coloured_resnet: nn.Module, resnet_file: Path
) -> None:
    backbone, _ = started("resnet18", f"imagenet:{resnet_file}")
    images = grey_images(2, 1, 96, 96)
    with torch.no_grad():
        stem = backbone.pyramid(images)[0]
        parts = dict(coloured_resnet.named_children())
        before = parts["bn1"](parts["conv1"](imagenet_colours(images))).relu()
        inner = (..., slice(2, -2), slice(2, -2))
        torch.testing.assert_close(stem[inner], before[inner], rtol=1e-4, atol=1e-5)


def test_a_folded_resnet_is_a_little_off_at_the_border_only(
    coloured_resnet: nn.Module, resnet_file: Path
) -> None:
    backbone, _ = started("resnet18", f"imagenet:{resnet_file}", stride=32)
    images = grey_images(2, 1, 96, 96)
    without_head = nn.Sequential(*list(coloured_resnet.children())[:-1])
    with torch.no_grad():
        expected = without_head(imagenet_colours(images)).flatten(1)
        off = torch.linalg.norm(backbone(images).vector - expected) / torch.linalg.norm(expected)
    assert 0 < off.item() < 0.01


def test_a_file_without_counts_of_batches_or_with_one_channel_is_taken_as_it_is(
    coloured_resnet: nn.Module, tmp_path: Path
) -> None:
    state = {k: v for k, v in coloured_resnet.state_dict().items() if not k.endswith("num_batches_tracked")}
    state["conv1.weight"] = state["conv1.weight"][:, :1].contiguous()
    save_file(state, tmp_path / "grey.safetensors")
    backbone, card = started("resnet18", f"imagenet:{tmp_path / 'grey.safetensors'}", input_mean=0.2)
    assert torch.equal(backbone.state_dict()["net.conv1.weight"], state["conv1.weight"])
    assert (card.input_mean, card.input_std) == pytest.approx((0.2, 1.0))


def dino_layouts(net: nn.Module) -> dict[str, object]:
    """The layouts that DINO's authors give their checkpoints, and a common third."""
    plain = net.state_dict()
    head = {"head.mlp.0.weight": torch.ones(4, 4), "head.last_layer.weight_g": torch.ones(4, 1)}
    teacher = {f"backbone.{name}": tensor for name, tensor in plain.items()} | head
    student = {f"module.{name}": torch.zeros_like(tensor) for name, tensor in teacher.items()}
    command = argparse.Namespace(arch="vit_small", patch_size=8)
    whole = {"student": student, "teacher": teacher, "epoch": 100, "args": command, "fp16_scaler": None}
    wrapped = {f"module.backbone.{name}": tensor for name, tensor in plain.items()}
    return {
        "plain": plain,
        "whole": whole,
        "state_dict": {"state_dict": wrapped},
        "student": {"student": teacher},
    }


@pytest.mark.parametrize("layout", ["plain", "whole", "state_dict", "student"])
def test_a_dino_file_sees_in_grey_exactly_what_it_saw_in_colour(
    coloured_vit: VisionTransformer, tmp_path: Path, layout: str
) -> None:
    torch.save(dino_layouts(coloured_vit)[layout], tmp_path / "dino.pth")
    backbone, card = started("vit_small", f"dino:{tmp_path / 'dino.pth'}", **TINY)
    images = grey_images(2, 1, 32, 32)
    with torch.no_grad():
        tokens = coloured_vit.forward_features(imagenet_colours(images))
        vector, places = backbone(images)
    torch.testing.assert_close(vector, tokens[:, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(places.flatten(2).mT, tokens[:, 1:], rtol=1e-4, atol=1e-5)
    assert card.num_tensors == len(coloured_vit.state_dict())
    assert card.left_out == (("head",) if layout in ("whole", "student") else ())


def test_positions_resized_on_loading_are_those_interpolated_while_running(
    coloured_vit: VisionTransformer, tmp_path: Path
) -> None:
    torch.save(coloured_vit.state_dict(), tmp_path / "dino.pth")
    learned, _ = started("vit_small", f"dino:{tmp_path / 'dino.pth'}", **TINY)
    resized, card = started("vit_small", f"dino:{tmp_path / 'dino.pth'}", **{**TINY, "image_size": 48})
    assert card.num_tensors == len(coloured_vit.state_dict())
    images = grey_images(1, 1, 48, 48)
    with torch.no_grad():
        torch.testing.assert_close(resized(images).map, learned(images).map)
        torch.testing.assert_close(resized.net.pos_embed[:, 0], coloured_vit.pos_embed[:, 0])  # type: ignore


def test_patches_of_another_size_are_an_error_that_says_which(
    coloured_vit: VisionTransformer, tmp_path: Path
) -> None:
    torch.save(coloured_vit.state_dict(), tmp_path / "dino.pth")
    with pytest.raises(ApicalError, match=r"patches of 8 pixels there, of 4 here.*backbone\.patch=8"):
        started("vit_small", f"dino:{tmp_path / 'dino.pth'}", **{**TINY, "patch": 4})


@pytest.mark.parametrize("name", ["pos_embed", "patch_embed.proj.weight"])
@pytest.mark.parametrize("shape", [(), (1,), (1, 0, 24), (1, 19, 24), (1, 17, 25)])
def test_a_transformers_odd_shapes_are_named(
    coloured_vit: VisionTransformer, tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    torch.save({**coloured_vit.state_dict(), name: torch.ones(shape)}, tmp_path / "dino.pth")
    with pytest.raises(ApicalError, match=r"dino\.pth.*of another shape|patches of another size"):
        started("vit_small", f"dino:{tmp_path / 'dino.pth'}", **TINY)


def test_what_does_not_fit_is_counted_and_named(coloured_resnet: nn.Module, tmp_path: Path) -> None:
    state = dict(coloured_resnet.state_dict())
    for name in ("bias", "weight", "running_mean", "running_var"):
        del state[f"bn1.{name}"]
    state["extra.weight"] = torch.ones(1)
    state["layer1.0.conv1.weight"] = torch.ones(1, 2, 3, 3)
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(ApicalError) as caught:
        started("resnet18", f"imagenet:{tmp_path / 'odd.pth'}")
    said = str(caught.value)
    assert said.startswith(str(tmp_path / "odd.pth"))
    assert "4 missing (net.bn1.bias, net.bn1.running_mean, net.bn1.running_var, …)" in said
    assert "1 unknown here (net.extra.weight)" in said
    assert "net.layer1.0.conv1.weight (1, 2, 3, 3) instead of (64, 64, 3, 3)" in said


def test_without_the_web_the_file_to_fetch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    with pytest.raises(ApicalError, match=r"timm/resnet50\.tv_in1k/.*model\.safetensors.*init=imagenet:PATH"):
        started("resnet50", "imagenet")
    with pytest.raises(ApicalError, match=r"timm/vit_small_patch16_224\.dino/.*init=dino:PATH"):
        started("vit_small", "dino", patch=16)


def test_what_the_web_gives_is_taken_with_its_licence(
    monkeypatch: pytest.MonkeyPatch, coloured_resnet: nn.Module, tmp_path: Path
) -> None:
    save_file(coloured_resnet.state_dict(), tmp_path / "model.safetensors")
    asked: list[tuple[str, str]] = []

    def given(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", given)
    _, card = started("resnet18", "imagenet")
    assert asked == [("timm/resnet18.tv_in1k", "model.safetensors")]
    assert (card.name, card.licence) == ("resnet18.tv_in1k", "bsd-3-clause")


@pytest.mark.parametrize(
    ("name", "init", "settings", "said"),
    [
        ("unet_encoder", "imagenet", {}, "nothing that unet_encoder can start from"),
        ("resnet18", "imagnet", {}, "Give init=random, imagenet, imagenet:PATH, dino:PATH, or the folder"),
        ("resnet18", "dino", {}, "Nobody publishes 'dino' weights for resnet18"),
        ("vit_small", "dino", TINY, "Nobody publishes 'dino' weights for vit_small"),
        ("vit_small", "no/such/run", TINY, "nothing that vit_small can start from"),
    ],
)
def test_a_start_that_is_none_says_which_there_are(
    name: str, init: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ApicalError, match=said):
        started(name, init, **settings)


def test_random_leaves_the_weights_as_they_were_drawn() -> None:
    backbone, card = started("unet_encoder", "random", width=4)
    kind = registry.load("backbones", "unet_encoder")
    torch.manual_seed(99)
    drawn = kind(kind.Config(width=4)).state_dict()
    assert all(torch.equal(tensor, drawn[name]) for name, tensor in backbone.state_dict().items())
    assert (card.name, card.num_tensors) == ("random", 0)


def run_of(folder: Path, name: str, **settings: Any) -> tuple[Backbone, Path]:
    """A run that left a backbone, and another part's weights beside it."""
    kind = registry.load("backbones", name)
    config = kind.Config(**settings)
    backbone: Backbone = lived_in(kind(config))
    (folder / "checkpoints").mkdir(parents=True)
    card = RunCard(
        stage="pretrain", method="simclr", command="", data={}, licences=("data: a licence", "weights: another"),
        versions={}, device="cpu", processes=1, precision="32-true",
    )  # fmt: skip
    card.write(folder / "run.json")
    Run.config_path(folder).write_text(yaml.safe_dump({"backbone": config.model_dump(mode="json")}))
    tensors = {f"backbone.{key}": value for key, value in backbone.state_dict().items()}
    write_tensors(Run.weights_path(folder, "best"), tensors | {"projector.weight": torch.ones(1)}, {})
    return backbone, folder


def test_a_runs_backbone_goes_on_where_it_was_at_any_stride(tmp_path: Path) -> None:
    trained, folder = run_of(tmp_path / "run", "resnet18", stride=32, input_mean=0.3, input_std=0.2)
    images = grey_images(1, 1, 64, 64)
    for stride in (32, 8):
        backbone, card = started("resnet18", str(folder), stride=stride)
        step = 32 // stride
        with torch.no_grad():
            torch.testing.assert_close(
                backbone(images).map[..., ::step, ::step], trained(images).map, rtol=1e-4, atol=1e-5
            )
        assert (card.input_mean, card.input_std) == pytest.approx((0.3, 0.2))
        assert card.licence == "a licence; another"
        assert card.num_tensors == len(trained.state_dict()) - 2


def test_a_runs_transformer_takes_another_grid_but_no_other_patch(tmp_path: Path) -> None:
    trained, folder = run_of(tmp_path / "run", "vit_small", **TINY)
    images = grey_images(1, 1, 48, 48)
    backbone, _ = started("vit_small", str(folder), **{**TINY, "image_size": 48})
    with torch.no_grad():
        torch.testing.assert_close(backbone(images).map, trained(images).map)
    with pytest.raises(ApicalError, match=r"backbone\.patch=8"):
        started("vit_small", str(folder), **{**TINY, "patch": 16})
    with pytest.raises(ApicalError, match="do not fit vit_small"):
        started("vit_small", str(folder), **{**TINY, "depth": 3})


def test_a_run_with_another_backbone_and_a_folder_that_is_no_run_are_named(tmp_path: Path) -> None:
    _, folder = run_of(tmp_path / "run", "unet_encoder", width=2)
    with pytest.raises(ApicalError, match="Set backbone=unet_encoder"):
        started("resnet18", str(folder))
    with pytest.raises(ApicalError, match="no run"):
        started("resnet18", str(tmp_path))
