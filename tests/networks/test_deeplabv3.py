"""DeepLabV3 is torchvision's, and does not look past its map."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor

from apical import registry
from apical.backbones.resnet50 import ResNet50
from apical.errors import ApicalError
from apical.networks.deeplabv3 import DeepLabV3
from tests.backbones.material import grey_images, lived_in
from tests.networks.material import Case, built


def as_ours(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's tensors by our names, its stem summed over colours."""
    ours = {
        name.replace("backbone.", "backbone.net.", 1).replace("classifier.", "head.", 1): tensor
        for name, tensor in state.items()
    }
    stem = "backbone.net.conv1.weight"
    scale = {"backbone.input_mean": torch.tensor(0.0), "backbone.input_std": torch.tensor(1.0)}
    return {**ours, stem: ours[stem].sum(1, keepdim=True), **scale}


def test_it_computes_what_torchvisions_computes_of_three_equal_channels() -> None:
    torch.manual_seed(0)
    theirs = lived_in(
        torchvision.models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=3)
    )
    ours = DeepLabV3(DeepLabV3.Config(), ResNet50(ResNet50.Config(stride=8)), 3).eval()
    ours.load_state_dict(as_ours(theirs.state_dict()))
    for height, width in [(64, 64), (65, 47)]:
        images = grey_images(2, 1, height, width)
        with torch.no_grad():
            expected = theirs(images.expand(-1, 3, -1, -1))["out"]
            torch.testing.assert_close(ours(images), expected, rtol=1e-4, atol=1e-6)
        assert expected.std() > 0.01


@pytest.mark.parametrize(("stride", "rates"), [(8, (12, 24, 36)), (16, (6, 12, 18))])
def test_its_kernels_reach_as_far_in_pixels_at_either_stride(stride: int, rates: tuple[int, ...]) -> None:
    kind = registry.load("backbones", "resnet18")
    network = built(Case("deeplabv3", kind.Config(stride=stride)))
    reaches = [
        module.dilation[0]
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d) and name.startswith("head") and module.dilation[0] > 1
    ]
    assert tuple(reaches) == rates
    with torch.no_grad():
        assert network.eval()(grey_images(1, 1, 65, 47)).shape == (1, 2, 65, 47)


def test_a_stride_at_which_its_kernels_look_past_the_map_is_refused() -> None:
    kind = registry.load("backbones", "resnet18")
    with pytest.raises(ApicalError, match=r"deeplabv3.*stride 32.*look past.*backbone\.stride=8 or 16"):
        built(Case("deeplabv3", kind.Config(stride=32)))
