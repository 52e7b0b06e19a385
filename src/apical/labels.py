"""Who is annotated: a table of labelled images and an amount come in; the images that may be learnt from go out.

Patients are drawn, never images, and a smaller draw lies within every larger one of the same seed. The draw hangs on
the patients' names and the seed alone, so that it is the same for every method, network and machine.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from apical.errors import ApicalError
from apical.whole import whole_file

__all__ = ["Amount", "By", "LabelDraw", "draw_labels"]

By = Literal["patient", "image"]
FILE = "labels.json"


@dataclass(frozen=True)
class Amount:
    """How many labels are used: a share of what there is, a number, or all."""

    share: float | None = None
    number: int | None = None

    @classmethod
    def read(cls, text: str) -> Amount:
        """`all`, a number such as `20`, or a share such as `5%`."""
        words = text.strip()
        if words == "all":
            return cls(share=1.0)
        if re.fullmatch(r"\d+", words) and int(words) > 0:
            return cls(number=int(words))
        if re.fullmatch(r"\d+(\.\d+)?%", words) and 0 < float(words[:-1]) <= 100:
            return cls(share=float(words[:-1]) / 100)
        raise ValueError("Write 'all', a number of patients such as 20, or a share such as 5%")

    def of(self, total: int, *, floors: bool = False) -> int:
        """So many of a total: at least one."""
        if self.number is not None:
            return self.number
        assert self.share is not None
        wanted = self.share * total
        return max(1, math.floor(wanted + 1e-9) if floors else round(wanted))


@dataclass(frozen=True, kw_only=True)
class LabelDraw:
    """What was drawn, as it is kept in a run's folder."""

    amount: str
    by: By
    seed: int
    patients: tuple[str, ...]
    """In the order they were drawn: the first n are the draw of n patients."""
    images: tuple[tuple[str, int], ...]
    """Clip and frame of each labelled image."""

    def write(self, folder: Path) -> None:
        """Keep it beside a run."""
        with whole_file(folder / FILE) as part:
            part.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> LabelDraw:
        """What `write` wrote."""
        try:
            values = json.loads((folder / FILE).read_text(encoding="utf-8"))
            images = tuple((clip, frame) for clip, frame in values["images"])
            return cls(**{**values, "patients": tuple(values["patients"]), "images": images})
        except (OSError, ValueError, TypeError, KeyError):
            raise ApicalError(
                "Whom this run has learnt from can't be read",
                where=str(folder / FILE),
                remedy="Put the file back, or run 'apical finetune' again.",
            ) from None


def draw_labels(examples: pl.DataFrame, amount: str, seed: int, by: By = "patient") -> LabelDraw:
    """Draw from examples, rows (clip, frame, patient); by `image`, as Saeed 2022 does, patients may be cut apart."""
    wanted = Amount.read(amount)
    chosen = _by_patient(examples, wanted, seed) if by == "patient" else _by_image(examples, wanted, seed)
    return LabelDraw(
        amount=amount,
        by=by,
        seed=seed,
        patients=tuple(chosen["patient"].unique(maintain_order=True)),
        images=tuple(chosen.select("clip", "frame").iter_rows()),
    )


def _by_patient(examples: pl.DataFrame, wanted: Amount, seed: int) -> pl.DataFrame:
    """All images of the patients whose names, with the seed, hash lowest."""
    ranked = sorted(examples["patient"].unique(), key=lambda patient: _rank(patient, seed))
    count = wanted.of(len(ranked))
    if count > len(ranked):
        raise ApicalError(
            f"There are fewer than {count} annotated patients to learn from",
            seen=f"{len(ranked)} patients",
            remedy="Ask for fewer labels, or for all: --labels all.",
        )
    order = pl.DataFrame({"patient": ranked[:count]}, schema={"patient": pl.String})
    return order.join(examples, on="patient", how="left", maintain_order="left_right")


def _by_image(examples: pl.DataFrame, wanted: Amount, seed: int) -> pl.DataFrame:
    """So many images at random, whoever they are of; shares are rounded down."""
    count = wanted.of(len(examples), floors=True)
    if count > len(examples):
        raise ApicalError(
            f"There are fewer than {count} annotated images to learn from",
            seen=f"{len(examples)} images",
            remedy="Ask for fewer labels, or for all: --labels all.",
        )
    return examples[np.random.default_rng(seed).permutation(len(examples))[:count]]


def _rank(patient: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {patient}".encode()).digest()
