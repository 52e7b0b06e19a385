"""Maps are measured without a trace, and repeated or filled up without a shift."""

from __future__ import annotations

import pytest
import torch

from apical.encoders import backbone_from
from apical.networks._decoding import as_fine_as, map_widths, whole_places
from tests.backbones.material import grey_images
from tests.networks.material import BACKBONES, small


@pytest.mark.parametrize("name", BACKBONES)
def test_the_widths_are_those_of_the_maps_and_finding_out_leaves_no_trace(name: str) -> None:
    backbone = backbone_from(small(name)[0]).train()
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    random = torch.get_rng_state()
    widths = map_widths(backbone)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[key]) for key, tensor in backbone.state_dict().items())
    assert all(module.training for module in backbone.modules())
    assert widths == [places.shape[1] for places in backbone.pyramid(grey_images(2, 1, 64, 64))]


@pytest.mark.parametrize(("coarse", "fine"), [(3, 6), (3, 5), (4, 4), (1, 7)])
def test_each_fine_place_takes_the_coarse_one_that_its_middle_lies_in(coarse: int, fine: int) -> None:
    line = torch.arange(coarse).float().view(1, 1, 1, -1)
    found = as_fine_as(line, torch.zeros(1, 5, 1, fine))
    expected = [int((index + 0.5) * coarse / fine) for index in range(fine)]
    assert found.flatten().tolist() == expected


def test_black_is_added_below_and_to_the_right_until_the_side_divides_both() -> None:
    images = grey_images(2, 1, 65, 48)
    whole = whole_places(images, 8)
    assert whole.shape == (2, 1, 72, 48)
    assert torch.equal(whole[:, :, :65], images)
    assert not whole[:, :, 65:].any()
