"""Processor time of a mean's 95 % BCa limits by patient, beside scipy's bootstrap of the same figures, same run.

python benchmarks/intervals.py [--images 2500] [--patients 1276] [--resamples 10000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from apical.statistics.bootstrap import mean_interval

Array = npt.NDArray[np.float64]
Limits = tuple[float, float]

SCIPYS_BATCH = 200
"""Resamples scipy makes at once: all together would take gigabytes, and be slower."""


def main() -> None:
    """Simulate figures of images, time all ways in turn, print medians and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2500)
    parser.add_argument("--patients", type=int, default=1276)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    figures = Figures(arguments.images, arguments.patients, arguments.resamples)
    ways: dict[str, Callable[[], Limits]] = {
        "apical, patients": figures.ours,
        "scipy, patients": figures.scipys_by_patient,
        "scipy, single images": figures.scipys_by_image,
    }
    print(f"{arguments.resamples} resamples of {arguments.images} images of {arguments.patients} patients")
    print(f"{'':24} {'seconds':>9} {'beside ours':>12}  limits; median of {arguments.rounds} rounds")
    taken = {name: seconds(way, arguments.rounds) for name, way in ways.items()}
    ours = taken["apical, patients"]
    for name, way in ways.items():
        low, high = way()
        print(f"{name:24} {taken[name]:9.3f} {taken[name] / ours:11.1f}×  {low:.5f} to {high:.5f}")


def seconds(way: Callable[[], object], rounds: int) -> float:
    """Median processor time."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        way()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


class Figures:
    """Figures as Dice scores of a test set are, each patient with at least one image."""

    def __init__(self, images: int, patients: int, resamples: int) -> None:
        generator = np.random.default_rng(0)
        more = generator.integers(patients, size=images - patients)
        self.numbers = np.concatenate([np.arange(patients), more])
        self.names = [f"patient{number}" for number in self.numbers]
        self.values = generator.beta(20, 2, size=images)
        self.resamples = resamples

    def ours(self) -> Limits:
        """From values and names to limits."""
        found = mean_interval(self.values, self.names, resamples=self.resamples)
        return found.low, found.high

    def scipys_by_patient(self) -> Limits:
        """The same job: sums and numbers of images, resampled as pairs."""
        sums = np.bincount(self.numbers, self.values).astype(float)
        return self._scipys((sums, np.bincount(self.numbers).astype(float)), ratio)

    def scipys_by_image(self) -> Limits:
        """An easier job, with limits that are too narrow where images of a patient are alike."""
        return self._scipys((self.values,), np.mean)

    def _scipys(self, samples: tuple[Array, ...], statistic: Callable[..., Array]) -> Limits:
        found = stats.bootstrap(
            samples,
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=self.resamples,
            batch=SCIPYS_BATCH,
            method="BCa",
            rng=0,
        )
        return float(found.confidence_interval.low), float(found.confidence_interval.high)


def ratio(numerators: Array, denominators: Array, axis: int = -1) -> Array:
    """Of sums along an axis."""
    return np.asarray(numerators.sum(axis=axis) / denominators.sum(axis=axis))


if __name__ == "__main__":
    main()
