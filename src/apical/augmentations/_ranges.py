"""Settings that are drawn between two numbers: a pair comes in, a pair whose lower number stands first goes out."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

__all__ = ["PositiveRange", "ShareRange"]


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("Write the lower number first")
    return pair


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveRange = Annotated[tuple[Positive, Positive], AfterValidator(_rising)]
"""Two numbers above 0."""
ShareRange = Annotated[tuple[Share, Share], AfterValidator(_rising)]
"""Two numbers from 0 to 1."""
