"""Processor time of the weighted vote of nearest neighbours, beside a loop in numpy and scikit-learn, same run.

OMP_NUM_THREADS=1 python benchmarks/neighbours.py [--references 10000] [--queries 1000] [--features 384] [--rounds 7]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from sklearn.neighbors import KNeighborsClassifier

from apical.tasks._view_rules import Neighbours

Array = npt.NDArray[np.float32]

K, TEMPERATURE, CLASSES = 10, 0.07, 4


def main() -> None:
    """Draw vectors, time all ways in turn, print medians and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--references", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--features", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    votes = Votes(arguments.references, arguments.queries, arguments.features)
    ways: dict[str, Callable[[], Array]] = {
        "apical": votes.ours,
        "torch, one product": votes.of_one_product,
        "numpy, a query a time": votes.of_a_loop,
        "scikit-learn": votes.of_scikit_learn,
    }
    print(f"{arguments.queries} queries, {arguments.references} references, D {arguments.features}, k {K}")
    print(f"{'':24} {'ms':>9} {'beside ours':>12}  most apart; median of {arguments.rounds} rounds")
    ours, expected = 0.0, votes.ours()
    for name, way in ways.items():
        apart = float(np.abs(way() - expected).max())
        taken = milliseconds(way, arguments.rounds)
        ours = ours or taken
        print(f"{name:24} {taken:9.1f} {taken / ours:11.1f}×  {apart:.1e}")


def milliseconds(way: Callable[[], object], rounds: int) -> float:
    """Median processor time."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        way()
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken)


class Votes:
    """Vectors at random, the hardest case: none is much nearer than others."""

    def __init__(self, references: int, queries: int, features: int) -> None:
        generator = np.random.default_rng(0)
        self.bank, self.queries = (
            unit(generator.standard_normal((count, features)).astype(np.float32))
            for count in (references, queries)
        )
        self.classes = generator.integers(CLASSES, size=references)
        self.rule = Neighbours(CLASSES, k=K, temperature=TEMPERATURE, penalty=0.0)
        self.rule.fit(torch.from_numpy(self.bank), torch.from_numpy(self.classes))
        self.fitted = KNeighborsClassifier(
            K, metric="cosine", algorithm="brute", weights=lambda far: np.exp((1 - far) / TEMPERATURE)
        ).fit(self.bank, self.classes)

    def ours(self) -> Array:
        """As the task does it."""
        return self.rule.probabilities(torch.from_numpy(self.queries)).numpy()

    def of_one_product(self) -> Array:
        """As DINO's own script does it, in one piece."""
        cosines, places = (torch.from_numpy(self.queries) @ torch.from_numpy(self.bank).T).topk(K, dim=1)
        shares = (cosines / TEMPERATURE).softmax(dim=1)
        classes = torch.from_numpy(self.classes)[places]
        return torch.zeros(len(shares), CLASSES).scatter_add_(1, classes, shares).numpy()

    def of_a_loop(self) -> Array:
        """Plainly."""
        found = np.zeros((len(self.queries), CLASSES), dtype=np.float32)
        for row, query in enumerate(self.queries):
            cosines = self.bank @ query
            best = np.argpartition(-cosines, K)[:K]
            weights = np.exp(cosines[best] / TEMPERATURE)
            np.add.at(found[row], self.classes[best], weights / weights.sum())
        return found

    def of_scikit_learn(self) -> Array:
        """With its own weights by distance."""
        return np.asarray(self.fitted.predict_proba(self.queries), dtype=np.float32)


def unit(vectors: Array) -> Array:
    """At length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


if __name__ == "__main__":
    main()
