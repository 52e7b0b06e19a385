"""Images of simulated patients: images of one patient are more alike than those of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Images:
    """Figures of images (N,) and whose they are (N,)."""

    values: Array
    patients: npt.NDArray[np.str_]


def images(num_patients: int, seed: int, *, mean: float = 0.0, between: float = 1.0) -> Images:
    """One to four images a patient; `between` is the spread of patients where that of images within one is 0.5."""
    generator = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(num_patients), generator.integers(1, 5, size=num_patients))
    of_patients = mean + between * generator.normal(size=num_patients)
    values = of_patients[numbers] + 0.5 * generator.normal(size=numbers.size)
    return Images(values, np.array([f"patient{number}" for number in numbers]))


def sums_by_patient(values: Array, patients: npt.NDArray[np.str_]) -> tuple[Array, Array]:
    """The slow obvious way: sums and numbers of images (M,)."""
    names = sorted(set(patients.tolist()))
    return (
        np.array([values[patients == name].sum() for name in names]),
        np.array([float((patients == name).sum()) for name in names]),
    )
