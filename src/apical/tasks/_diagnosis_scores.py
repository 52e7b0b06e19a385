"""Studies beside their truth: beliefs of clips come in; rows of clips, and a row of scores for each study, go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from torch import Tensor

from apical.tasks._diagnosis_keeping import Kept
from apical.tasks._study_labels import ANSWER, NO, YES
from apical.tasks._study_votes import WEIGHT

__all__ = ["FIGURES", "LookJudge", "raw_beliefs", "study_scores"]

FIGURES: Mapping[str, bool] = {"log_loss": False, "brier": False, "correct": True}
"""Of a study, and whether higher is better."""
LEAST = 1e-12
"""No probability is taken to be smaller."""


class LookJudge:
    """Puts beliefs beside the truth, clip by clip; studies are judged when all their clips are there."""

    def __init__(self, known: pl.DataFrame, classes: Sequence[str], *, weighs: bool) -> None:
        """`known` are rows (clip, patient, study, answer); `weighs`, if the last belief is a clip's weight."""
        self.about = {row["clip"]: row for row in known.iter_rows(named=True)}
        self.classes, self.weighs = classes, weighs

    def judge(
        self, clip: str, frame: int, beliefs: Tensor
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """A row each."""
        about, values = self.about[clip], beliefs.tolist()
        weight = values.pop() if self.weighs else 1.0
        shares = [1 - values[0], values[0]] if len(values) == 1 else values
        row = {
            "patient": about["patient"],
            "study": about["study"],
            "clip": clip,
            "frame": frame,
            "truth": about[ANSWER],
            WEIGHT: weight,
            **{f"p_{name}": share for name, share in zip(self.classes, shares, strict=True)},
        }
        return [row], [row]


def study_scores(
    believed: pl.DataFrame, looks: pl.DataFrame, classes: Sequence[str], kept: Kept | None
) -> pl.DataFrame:
    """A row a study, of what is believed of each (patient, study, p_…) and of all looks, which know the truth.

    Beliefs are as sharp as `kept` says, and an answer is yes from its threshold on; else from a half.
    """
    about = looks.group_by("patient", "study", maintain_order=True).agg(
        pl.col("truth").first(), pl.col("clip").n_unique().alias("videos"), pl.len().alias("looks")
    )
    joined = about.join(believed, on=["patient", "study"], maintain_order="left")
    raw = raw_beliefs(joined, classes)
    shares = _sharpened(raw, kept.temperature if kept else 1.0)
    truths = joined["truth"].to_numpy()
    hot = np.eye(len(classes))[truths]
    answers = _answers(shares, classes, kept)
    return joined.select("patient", "study", "videos", "looks", "truth").with_columns(
        pl.Series("answer", answers),
        pl.Series("correct", (answers == truths).astype(np.float64)),
        pl.Series("log_loss", -np.log(np.maximum((shares * hot).sum(axis=1), LEAST))),
        pl.Series("brier", _brier(shares, hot)),
        *_beliefs(shares, raw, classes),
    )


def raw_beliefs(studies: pl.DataFrame, classes: Sequence[str]) -> npt.NDArray[np.float64]:
    """(N, K)."""
    return studies.select(f"p_{name}" for name in classes).to_numpy()


def _beliefs(
    shares: npt.NDArray[np.float64], raw: npt.NDArray[np.float64], classes: Sequence[str]
) -> list[pl.Series]:
    """Columns of what is believed: of yes alone, or of each grade."""
    if tuple(classes) == (NO, YES):
        return [pl.Series("probability", shares[:, 1]), pl.Series("raw_probability", raw[:, 1])]
    return [pl.Series(f"p_{name}", shares[:, index]) for index, name in enumerate(classes)]


def _sharpened(shares: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """(N, K), their logarithms divided by the temperature."""
    if temperature == 1:
        return shares
    powers = np.maximum(shares, LEAST) ** (1 / temperature)
    sharpened: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return sharpened


def _brier(shares: npt.NDArray[np.float64], hot: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N,): squared errors, of yes alone where there are but yes and no."""
    squares = (shares - hot) ** 2
    found: npt.NDArray[np.float64] = squares.sum(axis=1) / (2 if shares.shape[1] == 2 else 1)
    return found


def _answers(
    shares: npt.NDArray[np.float64], classes: Sequence[str], kept: Kept | None
) -> npt.NDArray[np.int64]:
    if tuple(classes) != (NO, YES):
        likeliest: npt.NDArray[np.int64] = shares.argmax(axis=1)
        return likeliest
    threshold = kept.thresholds["balanced"] if kept else 0.5
    return (shares[:, 1] >= threshold).astype(np.int64)
