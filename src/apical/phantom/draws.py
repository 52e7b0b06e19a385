"""Draws that do not belong to one heart: a key comes in; names, streams of numbers and splits go out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

__all__ = ["code", "generator", "splits_by_patient"]


def code(*key: object, digits: int = 16) -> str:
    """Make hexadecimal digits that look random and depend on nothing but the key."""
    text = "/".join(str(part) for part in key)
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()[:digits].upper()


def generator(*key: object) -> np.random.Generator:
    """Make a stream of random numbers that depends on nothing but the key."""
    return np.random.default_rng(int(code(*key), 16))


def splits_by_patient(shares: Mapping[str, float], patients: int, *key: object) -> list[str]:
    """Assign a split to each patient: one to every split first, then by shares."""
    assigned = list(shares)[:patients]
    for number in range(len(assigned) + 1, patients + 1):
        lag = {name: share * number - assigned.count(name) for name, share in shares.items()}
        assigned.append(max(lag, key=lag.__getitem__))
    order: list[int] = generator("splits", *key).permutation(patients).tolist()
    return [assigned[place] for place in order]
