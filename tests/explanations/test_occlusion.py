"""Blocks reach everywhere, fading leaves the mean, and any encoder will do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from apical.explanations._fading import faded
from apical.explanations.occlusion import Occlusion, _blocks
from tests.explanations.material import H, T, W, corner_network, first_logit, speckle
from tests.explanations.test_gradcam import network_on


@pytest.mark.parametrize(
    ("size", "blocks", "width"), [((64, 48), 7, 1.5), ((5, 9), 7, 1.0), ((30, 30), 2, 4.0)]
)
def test_blocks_reach_every_pixel(size: tuple[int, int], blocks: int, width: float) -> None:
    found = _blocks(*size, Occlusion.Config(blocks=blocks, width=width))
    assert found.shape == (blocks**2, *size)
    assert found.sum(dim=0).min() > 0
    assert found.min() >= 0
    assert found.max() <= 1


def test_what_is_faded_is_the_mean_of_frames_and_neighbours() -> None:
    clips = speckle(1, 1, 3, 12, 20)
    grey = faded(clips, 0.2)  # 2.4 pixels: two around
    still = clips[0, 0].mean(dim=0).numpy()
    slow = np.array(
        [[still[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].mean() for x in range(20)] for y in range(12)]
    )
    np.testing.assert_allclose(grey[0, 0, 0].numpy(), slow, rtol=1e-5)


def test_how_many_are_looked_at_together_changes_nothing() -> None:
    network, clips = corner_network(), speckle(1, 1, T, H, W)
    few, many = (
        Occlusion(Occlusion.Config(at_once=count)).explain(network, clips, first_logit) for count in (5, 100)
    )
    torch.testing.assert_close(few.maps, many.maps)


def test_it_takes_an_encoder_with_a_class_token() -> None:
    clips = speckle(1, 1, 3, 32, 32)
    found = Occlusion(Occlusion.Config(blocks=3)).explain(network_on("vit_small"), clips, first_logit)
    assert found.grid == (3, 3)
    assert found.maps.isfinite().all()
