"""Votes against counts, weights against scikit-learn's, and a second look that sees what lies below the ventricle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from apical.segments import BACKGROUND, BESIDE, PLACES, Look
from apical.tasks._parcel_weights import (
    RIDGE,
    Points,
    Samples,
    counted,
    image_points,
    looked,
    regressed,
)

STRUCTURES = ("lv", "la")
NAMES = (BACKGROUND, *STRUCTURES)
SIDE = 24


def grid(side: int = SIDE) -> tuple[Tensor, Tensor]:
    """y and x of each pixel, from -1 to 1."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    return y, x


def hearts(count: int, seed: int, side: int = SIDE) -> Tensor:
    """Masks (N, 2, H, W) of two cavities, the atrium below the ventricle, anywhere in the image."""
    random = np.random.default_rng(seed)
    y, x = grid(side)
    masks = []
    for _ in range(count):
        row, column = random.uniform(-0.6, 0.1), random.uniform(-0.5, 0.5)
        lv = ((y - row) / 0.35) ** 2 + ((x - column) / 0.25) ** 2 <= 1
        la = ((y - row - 0.65) / 0.25) ** 2 + ((x - column) / 0.25) ** 2 <= 1
        masks.append(torch.stack([lv, la]))
    return torch.stack(masks).float()


def parcel_shares(masks: Tensor, seed: int, noise: float = 1.0) -> Tensor:
    """Shares (N, 5, H, W): of parcels that like the background, the ventricle, the atrium, both, and nothing."""
    background = 1 - masks.sum(dim=1, keepdim=True)
    lv, la = masks[:, :1], masks[:, 1:]
    scores = 2 * torch.cat([background, lv, la, 0.7 * (lv + la), torch.zeros_like(lv)], dim=1)
    random = torch.Generator().manual_seed(seed)
    return (scores + noise * torch.randn(scores.shape, generator=random)).softmax(dim=1)


def samples_of(shares: Tensor, masks: Tensor, per_image: int = SIDE * SIDE) -> Samples:
    samples = Samples(STRUCTURES, per_image)
    for part in range(0, len(shares), 3):
        samples.add(shares[part : part + 3], masks[part : part + 3])
    return samples


def accuracy(looks: tuple[Look, ...], shares: Tensor, masks: Tensor) -> float:
    found = looked(looks, image_points(shares), NAMES).argmax(dim=2)
    truth = torch.cat([1 - masks.sum(dim=1, keepdim=True), masks], dim=1).flatten(2).argmax(dim=1)
    return float((found == truth)[truth > 0].float().mean())


class TestPoints:
    def test_pixels_come_row_by_row_with_their_places(self) -> None:
        shares = torch.arange(2 * 3 * 2 * 4).view(2, 3, 2, 4).float()
        points = image_points(shares)
        assert points.shares.shape == (2, 8, 3)
        assert points.shares[1, 5].tolist() == shares[1, :, 1, 1].tolist()
        torch.testing.assert_close(points.places[0, 5], torch.tensor([-1 / 3, 1.0]))
        assert points.places[1, 0].tolist() == [-1, -1]

    def test_pixels_that_are_taken_stay_together_with_what_they_are(self) -> None:
        masks = hearts(5, 0)
        marked = torch.cat(
            [masks, (1 - masks.sum(dim=1, keepdim=True)) * torch.rand(5, 1, SIDE, SIDE)], dim=1
        )
        points, truths = samples_of(marked, masks, 100).all()
        assert points.shares.shape == (5, 100, 3)
        assert truths.shape == (5, 100, 3)
        torch.testing.assert_close(points.shares[..., :2], truths[..., 1:])
        torch.testing.assert_close(truths.sum(dim=2), torch.ones(5, 100))
        assert len(np.unique(points.places[0].numpy(), axis=0)) == 100
        assert not points.places[0].equal(points.places[1])


class TestVotes:
    def test_they_are_counted_shares(self) -> None:
        parcels = torch.tensor([[0, 0, 0, 1], [1, 1, 2, 2]])
        shares = torch.nn.functional.one_hot(parcels, 4).movedim(-1, 0)[None].float()
        masks = torch.tensor([[[[0, 0, 1, 1], [0, 1, 0, 0]], [[0, 0, 0, 0], [0, 0, 0, 1]]]]).float()
        votes = counted(samples_of(shares, masks, 8))
        expected = {
            BACKGROUND: {"0": 2 / 3, "1": 1 / 3, "2": 1 / 2, "3": 1.0},
            "lv": {"0": 1 / 3, "1": 2 / 3, "2": 0.0, "3": 0.0},
            "la": {"0": 0.0, "1": 0.0, "2": 1 / 2, "3": 0.0},
        }
        assert {name: pytest.approx(each) for name, each in votes.items()} == expected

    def test_they_are_the_sums_of_shares_that_lie_in_a_structure(self) -> None:
        masks = hearts(4, 1)
        shares = parcel_shares(masks, 2)
        votes = counted(samples_of(shares, masks))
        truths = dict(
            zip(NAMES, torch.cat([1 - masks.sum(dim=1, keepdim=True), masks], 1).unbind(1), strict=True)
        )
        for name in NAMES:
            for parcel in range(5):
                own = shares[:, parcel].double()
                expected = float((own * truths[name]).sum() / own.sum())
                assert votes[name][str(parcel)] == pytest.approx(expected, abs=1e-5)

    def test_a_pixel_believes_the_mean_of_its_parcels_votes(self) -> None:
        look = {BACKGROUND: {"0": 0.25, "1": 1.0}, "lv": {"0": 0.75, "1": 0.0}, "la": {"0": 0.0, "1": 0.0}}
        points = Points(torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]), torch.zeros(1, 2, 2))
        found = looked((look,), points, NAMES, votes=True)
        torch.testing.assert_close(found, torch.tensor([[[0.25, 0.75, 0.0], [0.625, 0.375, 0.0]]]))

    def test_a_parcel_that_is_never_seen_votes_for_the_background(self) -> None:
        masks = hearts(2, 1)
        shares = torch.cat([parcel_shares(masks, 2), torch.zeros(2, 1, SIDE, SIDE)], dim=1)
        votes = counted(samples_of(shares, masks))
        assert [votes[name]["5"] for name in NAMES] == [1, 0, 0]


class TestWeights:
    @pytest.mark.parametrize("per_image", [150, SIDE * SIDE])
    def test_without_places_they_believe_what_those_of_scikit_learn_do(self, per_image: int) -> None:
        masks = hearts(6, 3)
        samples = samples_of(parcel_shares(masks, 4), masks, per_image)
        points, truths = samples.all()
        columns, classes = points.shares.flatten(0, 1).numpy(), truths.flatten(0, 1).argmax(dim=1).numpy()
        strength = 1 / (2 * RIDGE * len(columns))
        theirs = LogisticRegression(C=strength, fit_intercept=False, max_iter=5000, tol=1e-8).fit(
            columns, classes
        )
        (look,) = regressed(samples, places=False, again=False)
        assert [*look] == [*NAMES]
        assert [*look["lv"]] == [*"01234"]
        found = looked((look,), points, NAMES).flatten(0, 1).numpy()
        np.testing.assert_allclose(found, theirs.predict_proba(columns), atol=1e-2)

    def test_places_help_where_parcels_do_not_tell(self) -> None:
        y, x = grid()
        masks = (
            torch.stack([(y < -0.4) & (x.abs() < 0.6), (y > 0.4) & (x.abs() < 0.6)])
            .float()
            .expand(4, 2, -1, -1)
        )
        shares = parcel_shares(masks.sum(dim=1, keepdim=True).expand(-1, 2, -1, -1) / 2, 0, 0.1)
        without, with_them = (
            regressed(samples_of(shares, masks), places=places, again=False) for places in (False, True)
        )
        assert [*with_them[0]["la"]] == [*"01234", *PLACES]
        assert accuracy(without, shares, masks) < 0.7
        assert accuracy(with_them, shares, masks) > 0.95

    def test_a_second_look_knows_the_atrium_by_its_lying_below_the_ventricle(self) -> None:
        """Parcels tell where the ventricle is, and that the atrium is some cavity, as one above it is too."""

        def seen(masks: Tensor, seed: int) -> Tensor:
            lv, la = masks[:, :1], masks[:, 1:]
            above = torch.zeros_like(la)
            shift = round(1.3 / 2 * (SIDE - 1))
            above[:, :, :-shift] = la[:, :, shift:]
            same = (la + above).clamp(max=1) * (1 - lv)
            scores = 4 * torch.cat([1 - lv - same, lv, same], dim=1)
            random = torch.Generator().manual_seed(seed)
            return (scores + 0.3 * torch.randn(scores.shape, generator=random)).softmax(dim=1)

        learnt, judged = hearts(12, 5), hearts(12, 6)
        samples = samples_of(seen(learnt, 7), learnt)
        others = seen(judged, 8)
        once = regressed(samples, places=False, again=False)
        twice = regressed(samples, places=False, again=True)
        assert len(twice) == 2
        assert twice[0] == once[0]
        assert [*twice[1]["la"]] == [*"012", *BESIDE]

        def atrium(looks: tuple[Look, ...]) -> float:
            found = looked(looks, image_points(others), NAMES).argmax(dim=2) == 2
            truth = judged[:, 1].flatten(1) > 0.5
            return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))

        assert atrium(twice) > atrium(once) + 0.1
        assert atrium(twice) > 0.9

    def test_a_ventricle_that_is_nowhere_makes_no_trouble(self) -> None:
        masks = hearts(3, 9)
        masks[:, 0] = 0
        shares = parcel_shares(masks, 1)
        looks = regressed(samples_of(shares, masks), places=True, again=True)
        believed = looked(looks, image_points(torch.zeros(1, 5, 8, 8)), NAMES)
        assert believed.isfinite().all()
        torch.testing.assert_close(believed.sum(dim=2), torch.ones(1, 64))

    def test_pixels_that_are_half_in_count_half(self) -> None:
        shares = torch.eye(2).view(1, 2, 2, 1)
        masks = torch.tensor([0.75, 0.25]).view(1, 1, 2, 1)
        samples = Samples(("lv",), 2)
        samples.add(shares, masks)
        (look,) = regressed(samples, places=False, again=False)
        found = looked((look,), image_points(shares), (BACKGROUND, "lv"))
        torch.testing.assert_close(found[0, :, 1], torch.tensor([0.75, 0.25]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("again", [False, True])
def test_the_same_call_gives_the_same_numbers(again: bool) -> None:
    masks = hearts(4, 3)
    shares = parcel_shares(masks, 4)
    first, second = (regressed(samples_of(shares, masks, 200), places=True, again=again) for _ in range(2))
    assert first == second
    assert counted(samples_of(shares, masks, 200)) == counted(samples_of(shares, masks, 200))
