"""Rules that tell classes from frozen vectors: vectors with their classes come in; probabilities of others go out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from apical.neighbours import Bank, directions

__all__ = ["RULES", "Linear", "Neighbours", "Prototypes", "Rule", "votes"]

FOLDS = 5
ROWS = 500
"""Vectors that are looked at at once."""
STEPS = 500


class Rule(ABC):
    """Learns from vectors (M, D) and classes (M,); a class without an example is never believed."""

    names: ClassVar[tuple[str, ...]]
    """Of its tensors."""

    def __init__(self, num_classes: int, *, k: int, temperature: float, penalty: float) -> None:
        self.num_classes, self.k, self.temperature, self.penalty = num_classes, k, temperature, penalty
        self.tensors: dict[str, Tensor] = {}
        """What was learnt."""

    @abstractmethod
    def fit(self, vectors: Tensor, classes: Tensor) -> None:
        """Learn."""

    @abstractmethod
    def probabilities(self, vectors: Tensor) -> Tensor:
        """Of each class, (N, K), for vectors (N, D)."""

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up tensors that were learnt before."""
        self.tensors = dict(tensors)

    def left_out(self, vectors: Tensor, classes: Tensor, patients: Tensor) -> Tensor:
        """Probabilities (M, K) of what is learnt from, by rules that have not seen the patient (M,).

        Rows are 0 where there is nobody else. Here: patients in turn fall into one of five parts.
        """
        parts = torch.unique(patients, return_inverse=True)[1] % FOLDS
        found = vectors.new_zeros(len(vectors), self.num_classes)
        for part in parts.unique():
            others = parts != part
            if others.any():
                rule = type(self)(
                    self.num_classes, k=self.k, temperature=self.temperature, penalty=self.penalty
                )
                rule.fit(vectors[others], classes[others])
                found[~others] = rule.probabilities(vectors[~others])
        return found


class Neighbours(Rule):
    """The weighted vote of the k nearest (Wu et al. 2018), as Majchrowska et al. 2023 tell views."""

    names = ("references", "classes")
    _bank: Bank

    def fit(self, vectors: Tensor, classes: Tensor) -> None:
        """Keep them all."""
        self.take({"references": directions(vectors), "classes": classes})

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Make them ready to be asked often."""
        super().take(tensors)
        self._bank = Bank(self.tensors["references"])

    def probabilities(self, vectors: Tensor) -> Tensor:
        """Each class's share of the votes."""
        indices, cosines = self._bank.nearest(directions(vectors), self.k)
        return votes(cosines, self.tensors["classes"][indices], self.num_classes, self.temperature)

    def left_out(self, vectors: Tensor, classes: Tensor, patients: Tensor) -> Tensor:
        """The vote of the k nearest of other patients."""
        units = directions(vectors)
        found = []
        for part, own in zip(torch.split(units, ROWS), torch.split(patients, ROWS), strict=True):
            cosines = (part @ units.T).masked_fill(own[:, None] == patients, -torch.inf)
            best, indices = cosines.topk(min(self.k, len(units)), dim=1)
            found.append(votes(best, classes[indices], self.num_classes, self.temperature))
        return torch.cat(found)


class Prototypes(Rule):
    """The mean direction of each class; how like it a vector is."""

    names = ("prototypes", "counts")

    def fit(self, vectors: Tensor, classes: Tensor) -> None:
        """Average."""
        members = functional.one_hot(classes, self.num_classes).to(vectors.dtype)
        self.take({"prototypes": directions(members.T @ directions(vectors)), "counts": members.sum(dim=0)})

    def probabilities(self, vectors: Tensor) -> Tensor:
        """Softmax of cosines over the temperature."""
        logits = directions(vectors) @ self.tensors["prototypes"].T / self.temperature
        return logits.masked_fill(self.tensors["counts"] == 0, -torch.inf).softmax(dim=1)


class Linear(Rule):
    """Multinomial logistic regression on vectors with mean 0 and spread 1, with an L2 penalty on its weights."""

    names = ("mean", "spread", "weights", "biases")

    def fit(self, vectors: Tensor, classes: Tensor) -> None:
        """Follow L-BFGS from 0 to the one optimum, in double precision."""
        mean, spread = vectors.mean(dim=0), vectors.std(dim=0, correction=0)
        spread = torch.where(spread > 0, spread, 1.0)
        present, numbers = torch.unique(classes, return_inverse=True)
        weights, biases = _regressed((vectors - mean) / spread, numbers, len(present), self.penalty)
        tensors = {
            "weights": vectors.new_zeros(self.num_classes, vectors.shape[1]),
            "biases": vectors.new_full((self.num_classes,), -torch.inf),
        }
        tensors["weights"][present], tensors["biases"][present] = weights, biases
        self.take({"mean": mean, "spread": spread, **tensors})

    def probabilities(self, vectors: Tensor) -> Tensor:
        """Softmax of the logits."""
        held = self.tensors
        logits = ((vectors - held["mean"]) / held["spread"]) @ held["weights"].T + held["biases"]
        return logits.softmax(dim=1)


RULES: Mapping[str, type[Rule]] = {"neighbours": Neighbours, "linear": Linear, "prototypes": Prototypes}


def votes(cosines: Tensor, classes: Tensor, num_classes: int, temperature: float) -> Tensor:
    """Shares (N, K) of votes exp(cosine / temperature) of neighbours (N, k); 0 where no neighbour has a vote."""
    shares = (cosines / temperature).softmax(dim=1).nan_to_num(0.0)
    sums = shares.new_zeros(len(shares), num_classes).scatter_add_(1, classes, shares)
    return sums.clamp(max=1)  # which rounding may pass


@torch.enable_grad()
def _regressed(vectors: Tensor, classes: Tensor, num_classes: int, penalty: float) -> tuple[Tensor, Tensor]:
    doubles = vectors.double()
    weights = doubles.new_zeros(num_classes, doubles.shape[1]).requires_grad_()
    biases = doubles.new_zeros(num_classes).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [weights, biases],
        max_iter=STEPS,
        history_size=20,
        tolerance_grad=1e-8,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        surprise = functional.cross_entropy(doubles @ weights.T + biases, classes)
        whole = surprise + penalty / 2 * (weights**2).sum()
        torch.autograd.backward(whole)
        return whole

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach().to(vectors.dtype), biases.detach().to(vectors.dtype)
