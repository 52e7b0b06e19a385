"""Parcels that speak for structures: shares of parcels and masks come in; a number for each pair goes out.

Two ways. `votes`: how much of a parcel lay in the structure, counted; a pixel's belief is the mean of its parcels'
votes. `weights`: numbers as a logistic regression finds them, which takes into account that parcels share pixels, and
to which others may be joined: of where in the image a pixel lies (x to the right, y down, from -1 to 1, and their
products), and in a second look of where it lies beside the ventricle that the first look found (u and v: the same from
its middle, in twice its spread). The atrium is best known by lying below the ventricle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from apical.segments import BACKGROUND, BESIDE, PLACES, Look

__all__ = ["Points", "Samples", "counted", "image_points", "looked", "regressed"]

MOST_PIXELS = 300_000
ITERATIONS = 200
RIDGE = 1e-5
"""How strongly numbers are pulled to nothing, beside a mean over pixels."""
LEAST_SPREAD, FURTHEST = 0.05, 2.5


class Points(NamedTuple):
    """Pixels of N images, P of each."""

    shares: Tensor
    """(N, P, K): of parcels."""
    places: Tensor
    """(N, P, 2): x and y, from -1 to 1."""


def image_points(shares: Tensor) -> Points:
    """All pixels of images with shares (N, K, H, W)."""
    height, width = shares.shape[2:]
    y, x = (torch.linspace(-1, 1, size, device=shares.device) for size in (height, width))
    places = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1).reshape(1, -1, 2)
    return Points(shares.flatten(2).mT, places.expand(len(shares), -1, -1))


class Samples:
    """Some pixels of each labelled image, at random, and which structure they lie in."""

    def __init__(self, structures: Sequence[str], per_image: int) -> None:
        self.names = (BACKGROUND, *structures)
        self.per_image = per_image
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, shares: Tensor, truths: Tensor) -> None:
        """Take pixels of images with shares (B, K, H, W) of parcels and shares (B, S, H, W) of structures."""
        points, answers = image_points(shares), truths.flatten(2).mT
        for row in range(len(shares)):
            random = torch.Generator().manual_seed(len(self._kept))
            chosen = torch.randperm(answers.shape[1], generator=random)[: self.per_image]
            self._kept.append((points.shares[row, chosen], points.places[row, chosen], answers[row, chosen]))

    def all(self) -> tuple[Points, Tensor]:
        """Points of all images, and what they are (N, P, 1 + S), background first; fewer of each if they are many."""
        most = max(MOST_PIXELS // len(self._kept), 1)
        shares, places, truths = (
            torch.stack([each[:most] for each in column]) for column in zip(*self._kept, strict=True)
        )
        background = (1 - truths.sum(dim=2, keepdim=True)).clamp(min=0)
        return Points(shares, places), torch.cat([background, truths], dim=2)


def counted(samples: Samples) -> Look:
    """Votes: what share of each parcel is background or a structure; a parcel never seen is background."""
    points, truths = samples.all()
    shares, answers = points.shares.flatten(0, 1), truths.flatten(0, 1)
    seen = shares.sum(dim=0)
    votes = (shares.T @ answers) / seen.clamp(min=1e-6)[:, None]
    nothing = torch.zeros_like(votes[0])
    nothing[0] = 1.0
    table = torch.where(seen[:, None] > 1e-6, votes, nothing)
    return _look(samples.names, _parcel_terms(points), table)


def regressed(samples: Samples, *, places: bool, again: bool) -> tuple[Look, ...]:
    """Weights of one look, or of two."""
    points, truths = samples.all()
    first = _look(samples.names, *_regressed(points, truths, PLACES if places else (), None))
    if not again:
        return (first,)
    known = looked((first,), points, samples.names)
    second = _regressed(points, truths, (*(PLACES if places else ()), *BESIDE), known)
    return first, _look(samples.names, *second)


def _regressed(
    points: Points, truths: Tensor, further: Sequence[str], known: Tensor | None
) -> tuple[list[str], Tensor]:
    """Terms, and their numbers (T, 1 + S)."""
    terms = [*_parcel_terms(points), *further]
    columns, answers = _columns(points, further, known).flatten(0, 1), truths.flatten(0, 1)
    table = torch.zeros((columns.shape[1], answers.shape[1]), requires_grad=True)
    optimiser = torch.optim.LBFGS([table], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(columns @ table, answers) + RIDGE * table.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return terms, table.detach()


def looked(looks: Sequence[Look], points: Points, names: Sequence[str], *, votes: bool = False) -> Tensor:
    """What weights, or votes, believe of points: (N, P, 1 + S) in the order of `names`."""
    known: Tensor | None = None
    for look in looks:
        further = [term for term in next(iter(look.values())) if term in (*PLACES, *BESIDE)]
        terms = [*_parcel_terms(points), *further]
        table = torch.tensor([[look[name][term] for name in names] for term in terms])
        mixed = _columns(points, further, known) @ table.to(points.shares.device)
        known = mixed.clamp(0, 1) if votes else mixed.softmax(dim=-1)
    assert known is not None, "there is a look"
    return known


def _columns(points: Points, further: Sequence[str], known: Tensor | None) -> Tensor:
    """(N, P, K + F): what the numbers are multiplied with."""
    columns = [points.shares]
    if PLACES[0] in further:
        columns.append(_products(points.places))
    if BESIDE[0] in further:
        assert known is not None, "a second look follows a first"
        columns.append(_products(_beside(points.places, known[..., 1])))
    return torch.cat(columns, dim=2)


def _products(places: Tensor) -> Tensor:
    """(…, 5): both coordinates, and the products of them."""
    x, y = places.unbind(dim=-1)
    return torch.stack([x, y, x * x, x * y, y * y], dim=-1)


def _beside(places: Tensor, ventricle: Tensor) -> Tensor:
    """Places (N, P, 2) as seen from the middle of a ventricle, whose probabilities are (N, P), in twice its spread."""
    weight = (ventricle / ventricle.sum(dim=1, keepdim=True).clamp(min=1e-3))[..., None]
    middle = (weight * places).sum(dim=1, keepdim=True)
    spread = (weight * (places - middle).square()).sum(dim=1, keepdim=True).sqrt().clamp(min=LEAST_SPREAD)
    return ((places - middle) / (2 * spread)).clamp(-FURTHEST, FURTHEST)


def _parcel_terms(points: Points) -> list[str]:
    return [str(parcel) for parcel in range(points.shares.shape[2])]


def _look(names: Sequence[str], terms: Sequence[str], table: Tensor) -> Look:
    return {
        name: dict(zip(terms, column.tolist(), strict=True))
        for name, column in zip(names, table.T, strict=True)
    }
