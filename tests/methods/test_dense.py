"""The dense contrast against slow loops, warps against known ones, and a map whose matches can't be wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from apical.batch import Batch
from apical.errors import ApicalError
from apical.methods._correspondence import (
    Cells,
    cell_places,
    cells_of,
    sampled,
    to_source,
    to_view,
)
from apical.methods.dense import Dense, DenseConfig, info_nce, place_scores
from tests.methods.tiny import FIRST, SIZE, Tiny, noise

IDENTITY = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
FLIP = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
TOP_LEFT = torch.tensor([[[0.5, 0.0, -0.5], [0.0, 0.5, -0.5]]])
BOTTOM_RIGHT = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 0.5, 0.5]]])
TURNED = torch.tensor([[[0.4, -0.3, 0.1], [0.3, 0.4, -0.2]]])


def method(**settings: object) -> Dense:
    torch.manual_seed(0)
    return Dense(
        DenseConfig.model_validate({"hidden_features": 16, "projected_features": 8, **settings}), Tiny()
    )


def batch(first: Tensor, second: Tensor) -> Batch:
    views = noise({"pair": {"size": SIZE, "count": 2}}, samples=4, patients=4)
    return replace(views, warps={"pair": [warp.expand(4, 2, 3) for warp in (first, second)]})


def loss(dense: Dense, views: Batch) -> dict[str, Tensor]:
    torch.manual_seed(5)
    return dict(dense(views, FIRST))


def coordinates_map(warp: Tensor, cells: int = 8, dimensions: int = 64) -> Tensor:
    """A map that says of each cell where in the source frame it lies: smooth, and different at every place."""
    places = to_source(cell_places(cells, cells, warp.device), warp)
    frequencies = torch.randn(2, dimensions, generator=torch.Generator().manual_seed(0)) * 3
    waves = places @ frequencies
    return torch.cat([waves.sin(), waves.cos()], dim=2).mT.reshape(len(warp), -1, cells, cells)


def test_cells_lie_at_the_middles_of_their_squares() -> None:
    found = cell_places(2, 4, torch.device("cpu"))
    expected = [(x, y) for y in (-0.5, 0.5) for x in (-0.75, -0.25, 0.25, 0.75)]
    assert found.tolist() == [list(place) for place in expected]


@pytest.mark.parametrize(
    ("warp", "place", "source"),
    [
        (IDENTITY, (0.3, -0.2), (0.3, -0.2)),
        (FLIP, (0.3, -0.2), (-0.3, -0.2)),
        (TOP_LEFT, (1.0, 1.0), (0.0, 0.0)),
        (BOTTOM_RIGHT, (-1.0, 1.0), (0.0, 1.0)),
        (TURNED, (1.0, 0.0), (0.5, 0.1)),
    ],
)
def test_a_known_warp_takes_a_place_where_it_must(
    warp: Tensor, place: tuple[float, float], source: tuple[float, float]
) -> None:
    there = to_source(torch.tensor([[place]]), warp)
    torch.testing.assert_close(there, torch.tensor([[source]]))
    torch.testing.assert_close(to_view(there, warp), torch.tensor([[place]]))


def test_sampling_at_a_maps_own_cells_gives_the_map() -> None:
    maps = torch.rand(2, 3, 4, 5)
    found = sampled(maps, cell_places(4, 5, maps.device).expand(2, -1, -1))
    torch.testing.assert_close(found, maps.flatten(2).mT)


def test_a_flipped_view_is_matched_with_its_mirror_image() -> None:
    maps = torch.rand(1, 6, 4, 4)
    cells = cells_of(maps, maps.flip(3), IDENTITY, FLIP)
    assert cells.is_matched.all()
    torch.testing.assert_close(cells.partners, cells.points)


def test_crops_match_where_they_overlap_and_nowhere_else() -> None:
    maps = torch.rand(1, 6, 4, 4)
    inner = cells_of(maps, maps, TOP_LEFT, IDENTITY)
    outer = cells_of(maps, maps, IDENTITY, TOP_LEFT)
    assert inner.is_matched.all()
    assert outer.is_matched.reshape(4, 4).tolist() == [
        [row < 2 and column < 2 for column in range(4)] for row in range(4)
    ]
    assert not cells_of(maps, maps, TOP_LEFT, BOTTOM_RIGHT).is_matched.any()


def test_what_a_turned_view_shows_beyond_the_frame_has_no_partner() -> None:
    maps, reaching_out = torch.rand(1, 6, 4, 4), IDENTITY * 2
    cells = cells_of(maps, maps, reaching_out, reaching_out)
    assert int(cells.is_matched.sum()) == 4


def test_scores_and_loss_agree_with_loops() -> None:
    radius, temperature = 0.15, 0.3
    cells = cells_of(
        torch.randn(2, 6, 4, 4), torch.randn(2, 6, 4, 4), TURNED.expand(2, 2, 3), IDENTITY.expand(2, 2, 3)
    )
    others = cells_of(
        torch.randn(2, 6, 4, 4), torch.randn(2, 6, 4, 4), IDENTITY.expand(2, 2, 3), TURNED.expand(2, 2, 3)
    )
    slow = [
        slow_loss(others, cells, image, cell, radius, temperature)
        for image in range(2)
        for cell in range(16)
        if others.is_matched[image, cell]
    ]
    assert 0 < len(slow) < 32
    found = info_nce(place_scores(others, cells, radius) / temperature, others.is_matched)
    assert float(found) == pytest.approx(sum(slow) / len(slow), rel=1e-5)


def slow_loss(cells: Cells, others: Cells, image: int, cell: int, radius: float, temperature: float) -> float:
    point, place = cells.points[image, cell], cells.places[image, cell]
    positive = math.exp(float(point @ cells.partners[image, cell]) / temperature)
    total = positive
    for some in (cells, others):
        for other, where in zip(some.points[image], some.places[image], strict=True):
            if math.dist(place.tolist(), where.tolist()) / 2 > radius:
                total += math.exp(float(point @ other) / temperature)
    return -math.log(positive / total)


@pytest.mark.parametrize("second", [IDENTITY, FLIP, TOP_LEFT, TURNED])
def test_a_map_that_knows_its_place_is_always_right(second: Tensor) -> None:
    maps = coordinates_map(IDENTITY), coordinates_map(second)
    cells = cells_of(maps[0], maps[1], IDENTITY, second)
    others = cells_of(maps[1], maps[0], second, IDENTITY)
    scores = place_scores(cells, others, radius=0.1)[cells.is_matched]
    assert len(scores) > 0
    assert (scores.argmax(dim=1) == 0).all()
    random = place_scores(
        *(cells_of(torch.randn(1, 8, 8, 8), torch.randn(1, 8, 8, 8), IDENTITY, second),) * 2, 0.1
    )
    assert (random.argmax(dim=2) == 0).float().mean() < 0.2


def test_places_survive_autocast() -> None:
    places = cell_places(28, 28, torch.device("cpu"))
    exact = to_source(places, TURNED)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(to_source(places, TURNED), exact)


def test_cells_that_are_drawn_are_matched_ones_first_and_belong_together() -> None:
    maps = torch.rand(1, 6, 8, 8)
    cells = cells_of(maps, maps, IDENTITY, TOP_LEFT)
    some = cells.drawn(20)
    assert int(some.is_matched.sum()) == 16 == int(cells.is_matched.sum())
    for place, point in zip(some.places[0], some.points[0], strict=True):
        index = int((cells.places[0] - place).norm(dim=1).argmin())
        torch.testing.assert_close(point, cells.points[0, index])
    assert cells.drawn(None) is cells is cells.drawn(64)


def test_the_same_seed_gives_the_same_loss_and_another_draws_other_cells() -> None:
    dense, views = method(cells=8), batch(IDENTITY, FLIP)
    first, again = loss(dense, views), loss(dense, views)
    assert first["loss"].equal(again["loss"])
    assert not dense(views, FIRST)["dense"].equal(first["dense"])


def test_views_that_share_nothing_add_nothing_and_no_nan() -> None:
    dense = method(global_weight=0.0)
    losses = loss(dense, batch(TOP_LEFT, BOTTOM_RIGHT))
    torch.autograd.backward(losses["loss"])
    assert float(losses["matched"]) == 0 == float(losses["dense"].detach())
    for weight in dense.parameters():
        assert weight.grad is None or not weight.grad.any()


def test_an_image_without_overlap_leaves_the_others_loss_as_it_is() -> None:
    warps = torch.cat([IDENTITY, TOP_LEFT]), torch.cat([FLIP, BOTTOM_RIGHT])
    one, other = torch.randn(2, 2, 6, 4, 4)
    cells, others = cells_of(one, other, *warps), cells_of(other, one, *reversed(warps))
    first, firsts = Cells(*(part[:1] for part in cells)), Cells(*(part[:1] for part in others))
    expected = info_nce(place_scores(first, firsts, 0.1), first.is_matched)
    torch.testing.assert_close(info_nce(place_scores(cells, others, 0.1), cells.is_matched), expected)


def test_clips_are_refused_with_a_remedy() -> None:
    dense, views = method(), batch(IDENTITY, FLIP)
    dense.backbone = Tiny(axes=3)
    clips = [view[:, :, None].repeat(1, 1, 4, 1, 1) for view in views.views["pair"]]
    with pytest.raises(ApicalError, match="not at clips"):
        dense(replace(views, views={"pair": clips}), FIRST)


def test_spread_sees_a_collapse_of_cells() -> None:
    dense, views = method(), batch(IDENTITY, FLIP)
    healthy = loss(dense, views)["spread"]
    norm = dense.cell_projector[1]
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.zeros_(norm.weight)
    nn.init.ones_(norm.bias)
    assert loss(dense, views)["spread"] < 1e-3 < healthy


def test_a_few_steps_lower_the_loss() -> None:
    dense, views = method(), batch(IDENTITY, FLIP)
    optimiser = torch.optim.Adam(dense.parameters(), lr=1e-2)
    figures = []
    for _ in range(12):
        losses = loss(dense, views)
        optimiser.zero_grad()
        torch.autograd.backward(losses["loss"])
        assert all(weight.grad is not None for weight in dense.parameters())
        optimiser.step()
        figures.append(float(losses["loss"].detach()))
    assert figures[-1] < figures[0]
