"""Studies of simulated patients with a yes-or-no truth: studies of one patient are alike in truth and scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Studies:
    """Scores of two models (N,) in [0, 1], truths (N,) and whose they are (N,)."""

    first: Array
    second: Array
    truths: npt.NDArray[np.bool_]
    patients: npt.NDArray[np.intp]


def studies(
    num_patients: int, seed: int, *, lead: float = 1.5, second_lead: float = 1.5, decimals: int = 12
) -> Studies:
    """One to four studies a patient, a third of the patients positive; few `decimals` make ties.

    Each score's spread is 1 over patients and 0.3 within one, and positives lead by `lead`.
    """
    generator = np.random.default_rng(seed)
    patients = np.repeat(np.arange(num_patients), generator.integers(1, 5, size=num_patients))
    truths = (generator.random(num_patients) < 1 / 3)[patients]
    leads = np.array([[lead], [second_lead]])
    of_patients = generator.normal(size=(2, num_patients))[:, patients]
    logits = of_patients + leads * truths + 0.3 * generator.normal(size=(2, patients.size))
    first, second = (1 / (1 + np.exp(-logits))).round(decimals)
    return Studies(first, second, truths, patients)
