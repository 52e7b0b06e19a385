"""What every way to explain keeps: it finds what a network looks at that is known to look at one place."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from apical import registry
from apical.explanations.base import Explanation, Saliency
from apical.networks.base import Network
from apical.networks.classifier import Classifier
from apical.sanity import rank_correlation, shuffled
from tests.explanations.material import (
    COLUMNS,
    FRAME,
    ROWS,
    H,
    T,
    W,
    corner_network,
    first_logit,
    speckle,
)

NAMES = registry.names("explanations")


@pytest.fixture(params=NAMES)
def explanation(request: pytest.FixtureRequest) -> Explanation:
    kind = registry.load("explanations", request.param)
    found: Explanation = kind(kind.Config())
    return found


@pytest.fixture
def network() -> Classifier:
    return corner_network()


def found_in(explanation: Explanation, network: Network, images: Tensor) -> Saliency:
    return explanation.explain(network, images, first_logit)


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_bear_the_name_of_the_file_and_are_explained(name: str) -> None:
    config = registry.load("explanations", name).Config()
    assert config.name == name
    assert [field for field, about in type(config).model_fields.items() if not about.description] == ["name"]


@pytest.mark.parametrize("frames", [None, 1, T])
def test_maps_are_as_large_as_images_and_lie_between_0_and_1(
    explanation: Explanation, network: Classifier, frames: int | None
) -> None:
    network = network if frames != 1 else corner_network_of_one_frame()
    images = speckle(3, 1, H, W) if frames is None else speckle(3, 1, frames, H, W)
    found = found_in(explanation, network, images)
    assert found.maps.shape == (3, frames or 1, H, W)
    assert found.frames.shape == (3, frames or 1)
    for values in (found.maps, found.frames):
        assert values.dtype == torch.float32
        assert not values.requires_grad
        torch.testing.assert_close(values.flatten(1).amax(dim=1), torch.ones(3))
        assert (values >= 0).all()


def corner_network_of_one_frame() -> Classifier:
    network = corner_network()
    network.backbone.weights = torch.nn.Parameter(network.backbone.weights[FRAME : FRAME + 1])  # type: ignore[index]
    return network


def test_a_network_that_looks_at_a_corner_of_one_frame_is_explained_as_such(
    explanation: Explanation, network: Classifier
) -> None:
    found = found_in(explanation, network, speckle(2, 1, T, H, W))
    assert (found.frames.argmax(dim=1) == FRAME).all()
    others = [frame for frame in range(T) if frame != FRAME]
    assert found.frames[:, others].max() < 0.05
    inside = found.maps[:, FRAME, ROWS, COLUMNS].sum(dim=(1, 2)) / found.maps.sum(dim=(1, 2, 3))
    assert (inside > 0.5).all()  # of which a map alike everywhere would have 1/12 of 1/6
    brightest = found.maps.flatten(1).argmax(dim=1)
    rows, columns = brightest % (H * W) // W, brightest % W
    assert ((rows < ROWS.stop) & (columns < COLUMNS.stop)).all()


def test_where_nothing_speaks_for_the_answer_maps_are_0(explanation: Explanation) -> None:
    against = found_in(explanation, corner_network(-100.0), speckle(1, 1, T, H, W))
    dark = found_in(explanation, corner_network(), torch.zeros(1, 1, T, H, W))
    for found in (against, dark):
        assert found.maps.abs().max() == 0
        assert found.frames.abs().max() == 0


def test_each_clip_of_a_batch_is_explained_as_if_it_were_alone(
    explanation: Explanation, network: Classifier
) -> None:
    clips = speckle(3, 1, T, H, W)
    together = found_in(explanation, network, clips)
    alone = found_in(explanation, network, clips[1:2])
    torch.testing.assert_close(together.maps[1:2], alone.maps)
    torch.testing.assert_close(together.frames[1:2], alone.frames)


def test_shuffled_weights_make_other_maps(explanation: Explanation, network: Classifier) -> None:
    clips = speckle(1, 1, T, H, W)
    found = found_in(explanation, network, clips).maps
    others = [found_in(explanation, shuffled(network, seed, wholly=True), clips).maps for seed in range(3)]
    assert max(rank_correlation(found, other) for other in others) < 0.5


def test_the_network_stays_as_it_is(explanation: Explanation, network: Classifier) -> None:
    clips, before = (
        speckle(1, 1, T, H, W),
        {name: each.clone() for name, each in network.state_dict().items()},
    )
    first = found_in(explanation, network, clips)
    again = found_in(explanation, network, clips)
    assert first.maps.equal(again.maps)
    assert all(before[name].equal(each) for name, each in network.state_dict().items())
    assert not network.backbone._forward_hooks
    assert not any(parameter.requires_grad for parameter in network.parameters())
