"""Nets over clips: time matters to some, to others each frame stands for itself; weights of others fold to grey."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models import get_model_weights, video

from apical.backbones._video import KINETICS, VideoResNet
from apical.backbones.r2plus1d_18 import R2Plus1D18
from apical.backbones.r3d_18 import R3D18
from apical.backbones.vit_small import ViTSmall
from apical.weights import start_weights
from tests.backbones.material import lived_in

KINDS = {"r3d_18": R3D18, "r2plus1d_18": R2Plus1D18}


def built(name: str) -> VideoResNet:
    torch.manual_seed(0)
    kind = KINDS[name]
    return lived_in(kind(kind.Config(name=name)))


def clips(frames: int, side: int = 32) -> torch.Tensor:
    return torch.rand(2, 1, frames, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("frames", [1, 3, 8])
def test_maps_have_time_and_the_vector_is_their_mean(name: str, frames: int) -> None:
    with torch.no_grad():
        vector, places = built(name)(clips(frames))
    assert places.shape == (2, 512, -(-frames // 8), 2, 2)
    torch.testing.assert_close(vector, places.mean(dim=(2, 3, 4)))


@pytest.mark.parametrize("name", KINDS)
def test_an_image_is_a_clip_of_one_frame(name: str) -> None:
    net, one = built(name), clips(1)
    with torch.no_grad():
        torch.testing.assert_close(net(one[:, :, 0]).vector, net(one).vector)


@pytest.mark.parametrize("name", KINDS)
def test_the_order_of_frames_matters_to_nets_over_clips(name: str) -> None:
    net, clip = built(name), clips(4)
    with torch.no_grad():
        assert (net(clip).vector - net(clip.flip(2)).vector).abs().max() > 1e-4


def test_nets_over_images_take_clips_frame_by_frame() -> None:
    torch.manual_seed(0)
    net = ViTSmall(ViTSmall.Config(dim=24, depth=1, heads=3, image_size=32)).eval()
    clip = clips(3)
    with torch.no_grad():
        vector, places = net(clip)
        frames = [net(clip[:, :, place]) for place in range(3)]
    torch.testing.assert_close(vector, torch.stack([each.vector for each in frames]).mean(dim=0))
    torch.testing.assert_close(places, torch.stack([each.map for each in frames], dim=2))


@pytest.mark.parametrize("name", KINDS)
def test_kinetics_weights_see_grey_as_they_saw_it_in_colour(name: str, tmp_path: Path) -> None:
    torch.manual_seed(4)
    theirs = lived_in(getattr(video, name)(weights=None))
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    kind = KINDS[name]
    net, config = built(name), kind.Config(name=name)
    card = start_weights(net, config, f"kinetics:{tmp_path / 'theirs.pth'}")
    assert card.left_out == ("fc",)
    grey = clips(4)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1, 1) for each in KINETICS)
    theirs.fc = torch.nn.Identity()
    with torch.no_grad():
        expected = theirs((grey.expand(-1, 3, -1, -1, -1) - mean) / std)
        found = net.eval()(grey).vector
    assert (torch.linalg.norm(found - expected) / torch.linalg.norm(expected)).item() < 0.02


@pytest.mark.parametrize("name", KINDS)
def test_published_weights_are_those_that_torchvision_names(name: str) -> None:
    published = built(name).published()["kinetics"]
    assert published.url == get_model_weights(name)["KINETICS400_V1"].url
    assert published.name.startswith(name)
    assert published.licence == "BSD-3-Clause"
