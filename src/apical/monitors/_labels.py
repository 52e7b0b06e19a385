"""What is known of images without training on it: clips and frames come in; classes by label name go out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from apical.dataset import Dataset

__all__ = ["choose_frames", "labels_of"]

Frames = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int64]
Coded = tuple[Codes, Codes]
"""Classes of the bank and of the queries; -1 where unknown."""

PHASES = {"ed": 0, "es": 1}
MOST_UNTRACED_FRAMES = 4
"""Of a clip without traces: more of them would be near copies of each other."""


def choose_frames(dataset: Dataset, clips: pl.DataFrame, count: int) -> tuple[Frames, Frames]:
    """Up to `count` images, as rows of `clips` and frames, always the same ones: as many patients as there can be.

    A clip gives its traced end-diastolic and end-systolic frames or, where it has none, a few evenly spaced ones.
    """
    indexed = clips.select("clip", "patient", "num_frames").with_row_index("row")
    candidates = _candidates(dataset, indexed)
    random = np.random.default_rng(
        0
    )  # order must not favour end-diastole, or one echo view, or the first patients
    chosen = (
        candidates.with_columns(draw=pl.Series(random.random(len(candidates))))
        .with_columns(turn=pl.col("draw").rank("ordinal").over("row"))
        .with_columns(turn=pl.struct("turn", "draw").rank("ordinal").over("patient"))
        .sort("turn", "draw")
        .head(count)
        .sort("row", "frame")
    )
    return chosen["row"].to_numpy().astype(np.int64), chosen["frame"].to_numpy().astype(np.int64)


def _candidates(dataset: Dataset, indexed: pl.DataFrame) -> pl.DataFrame:
    """Rows (row, patient, frame) to choose from, in the order of the clips."""
    phases = _phases(dataset).select("clip", pl.col("frame").alias("traced"))
    joined = indexed.join(phases, on="clip", how="left", maintain_order="left_right")
    traced = joined.filter(pl.col("traced") < pl.col("num_frames")).rename({"traced": "frame"})
    others = indexed.join(traced, on="row", how="anti", maintain_order="left")
    spaced = others.with_columns(
        frame=pl.col("num_frames").map_elements(_spaced, return_dtype=pl.List(pl.Int64))
    )
    parts = [part.select("row", "patient", "frame") for part in (traced, spaced.explode("frame"))]
    return pl.concat(parts).drop_nulls("frame").sort("row", "frame")


def _spaced(num_frames: int) -> list[int]:
    count = min(MOST_UNTRACED_FRAMES, num_frames)
    return [int((index + 0.5) * num_frames / count) for index in range(count)]


def _phases(dataset: Dataset) -> pl.DataFrame:
    """Rows (clip, frame, phase) of the frames whose phase is traced."""
    known = dataset.traces.filter(pl.col("phase").is_in(list(PHASES)))
    return known.unique(["clip", "frame"], keep="first", maintain_order=True).select("clip", "frame", "phase")


def labels_of(
    dataset: Dataset,
    bank_clips: pl.DataFrame,
    query_clips: pl.DataFrame,
    bank_frames: Frames,
    query_frames: Frames,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Classes of bank and queries by label: `phase`, `echo_view`, words as they are, numbers cut into thirds.

    Row i of `bank_clips` is the clip of frame i of `bank_frames`. Cuts are those of the bank. A label of which the
    bank has a single class is left out.
    """
    coded: dict[str, Coded] = {
        "phase": (
            _phase_codes(dataset, bank_clips, bank_frames),
            _phase_codes(dataset, query_clips, query_frames),
        )
    }
    for name in ("echo_view", *dataset.label_names):
        code: Callable[[pl.Series, pl.Series], Coded]
        code = _words if bank_clips[name].dtype == pl.String else _thirds
        coded[name] = code(bank_clips[name], query_clips[name])
    told = {name: codes for name, codes in coded.items() if len(np.unique(codes[0][codes[0] >= 0])) > 1}
    return (
        {name: torch.from_numpy(bank) for name, (bank, _) in told.items()},
        {name: torch.from_numpy(queries) for name, (_, queries) in told.items()},
    )


def _phase_codes(dataset: Dataset, clips: pl.DataFrame, frames: Frames) -> Codes:
    asked = pl.DataFrame({"clip": clips["clip"], "frame": frames})
    phases = asked.join(_phases(dataset), on=["clip", "frame"], how="left", maintain_order="left")["phase"]
    return np.array([PHASES.get(phase, -1) for phase in phases], dtype=np.int64)


def _words(bank: pl.Series, queries: pl.Series) -> Coded:
    words = sorted({*bank.drop_nulls(), *queries.drop_nulls()} - {"unknown"})
    code = {word: index for index, word in enumerate(words)}
    coded = [np.array([code.get(word, -1) for word in part], dtype=np.int64) for part in (bank, queries)]
    return coded[0], coded[1]


def _thirds(bank: pl.Series, queries: pl.Series) -> Coded:
    known, asked = (part.cast(pl.Float64).fill_null(np.nan).to_numpy() for part in (bank, queries))
    finite = known[np.isfinite(known)]
    cuts = np.quantile(finite, [1 / 3, 2 / 3]) if finite.size else np.zeros(2)
    coded = [
        np.where(np.isfinite(part), np.searchsorted(cuts, part, side="left"), -1) for part in (known, asked)
    ]
    return coded[0], coded[1]
