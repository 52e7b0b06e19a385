"""Two checks of maps: one that a drawing of edges fails, one that a random map fails."""

from __future__ import annotations

import torch
from torch import Tensor

from apical.cases import Case
from apical.explained import Asked
from apical.explanations.base import Evidence, Explanation, ExplanationConfig, Saliency, in_shares
from apical.explanations.gradcam import GradCam
from apical.networks.base import Network
from apical.sanity import checked, falls_where_faded, rank_correlation, shuffled
from tests.explanations.material import COLUMNS, FRAME, ROWS, H, T, W, corner_network, first_logit, speckle

CASE = Case("study", "clip", 0, 0, "named", "yes", 1, "yes", 0.9, 0.9)
gradcam = GradCam(GradCam.Config())


class Edges(Explanation):
    """What Adebayo warns of: it draws the picture, whatever the network has learnt."""

    Config = ExplanationConfig

    def explain(self, network: Network, images: Tensor, evidence: Evidence) -> Saliency:
        """Dark places."""
        del network, evidence
        maps = in_shares(1 - images[:, 0])
        return Saliency(maps, in_shares(maps.mean(dim=(2, 3))), (H, W))


def asked(count: int) -> list[Asked]:
    clips = [speckle(1, 1, T, H, W, seed=seed) for seed in range(count)]
    return [Asked(CASE, tuple(range(T)), clip, first_logit, torch.ones(H, W)) for clip in clips]


def test_a_way_that_looks_at_the_network_passes() -> None:
    network, clips = corner_network(), asked(3)
    sanity = checked(
        gradcam, network, clips, [gradcam.explain(network, each.images, first_logit) for each in clips]
    )
    assert sanity.depends_on_learning
    assert sanity.finds_what_counts
    assert len(sanity.salient) == len(sanity.random) == 3
    assert len(sanity.head_shuffled) == len(sanity.all_shuffled) == 2
    assert sanity.falls[0] > 2 * sanity.falls[1]


def test_a_way_that_draws_the_picture_fails() -> None:
    network, clips, edges = corner_network(), asked(2), Edges(ExplanationConfig(name="edges"))
    sanity = checked(
        edges, network, clips, [edges.explain(network, each.images, first_logit) for each in clips]
    )
    assert not sanity.depends_on_learning
    assert sanity.correlations["correlation_all_shuffled"] > 0.99
    assert not sanity.finds_what_counts


def test_fading_what_is_looked_at_costs_the_answer_and_fading_the_rest_nothing() -> None:
    network, clip = corner_network(), asked(1)[0]
    there = torch.zeros(1, T, H, W)
    there[:, FRAME, ROWS, COLUMNS] = 1
    elsewhere = torch.zeros(1, T, H, W)
    elsewhere[:, FRAME + 1] = 1
    seen, unseen = falls_where_faded(network, clip, [there, elsewhere])
    assert seen > 0.05
    assert unseen == 0


def weights_of(network: Network) -> Tensor:
    tensors: dict[str, Tensor] = network.state_dict()
    return tensors["backbone.weights"]


def test_shuffling_moves_weights_of_the_copy_alone() -> None:
    network = corner_network()
    before = weights_of(network).clone()
    other, whole = (shuffled(network, 0, wholly=wholly) for wholly in (False, True))
    assert weights_of(network).equal(before)
    assert weights_of(other).equal(before)
    assert not weights_of(whole).equal(before)
    assert weights_of(whole).sum() == before.sum()
    assert weights_of(whole).equal(weights_of(shuffled(network, 0, wholly=True)))
    assert not weights_of(whole).equal(weights_of(shuffled(network, 1, wholly=True)))


def test_rank_correlation_looks_at_order_alone_and_is_0_where_there_is_none() -> None:
    values = speckle(1, T, H, W)
    assert rank_correlation(values, values**3) > 0.9999
    assert rank_correlation(values, -values) < -0.9999
    assert rank_correlation(values, torch.zeros_like(values)) == 0
