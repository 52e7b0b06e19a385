"""One frame a clip from between its traced end-diastole and end-systole (Saeed et al., MIUA 2022)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.sampling.base import Sampled, Sampling, SamplingConfig

__all__ = ["BetweenPhases", "BetweenPhasesConfig"]

STILL = pl.lit("stills")
UNTRACED = pl.lit("phases not traced")
ADJACENT = pl.lit("no frame between the phases")


class BetweenPhasesConfig(SamplingConfig):
    """Drawn anew each epoch, as the released code does; `fixed: true` is the paper's wording."""

    name: Literal["between_phases"] = "between_phases"


class BetweenPhases(Sampling):
    """One random frame a clip, strictly between the two traced phases: no frame that segmentation learns from."""

    Config = BetweenPhasesConfig

    def __init__(self, config: BetweenPhasesConfig, dataset: Dataset, clips: pl.DataFrame) -> None:
        self.config = config
        table = _spans(dataset.traces, clips)
        usable = table.filter(pl.col("lack").is_null())
        self._left_out = _counted(table)
        self._num_left_out = f"{len(table) - len(usable)} of {len(table)} clips"
        if usable.is_empty():
            raise ApicalError(
                "No clip has a frame between a traced end-diastole and end-systole",
                where=str(dataset.folder),
                seen=f"{len(table)} clips ({self._left_out})",
                remedy="Set sampling=frames, which takes frames from anywhere and needs no traces.",
            )
        self._clips = usable["row"].to_numpy().astype(np.int64)
        self._first, self._last = usable["first"].to_numpy(), usable["last"].to_numpy()

    @property
    def num_samples(self) -> int:
        """The clips that have such a frame."""
        return len(self._clips)

    def draw(self, random: np.random.Generator) -> Sampled:
        """One frame of each clip."""
        frames = random.integers(self._first + 1, self._last)
        return Sampled(self._clips[:, None], frames[:, None, None])

    @property
    def remark(self) -> str | None:
        """How many clips are left out, and why."""
        return f"{self._num_left_out} are left out ({self._left_out})" if self._left_out else None


def _spans(traces: pl.DataFrame, clips: pl.DataFrame) -> pl.DataFrame:
    """Each clip with its `row`, its `first` and `last` traced phase, and what it may `lack` for this rule."""
    phases = traces.filter(pl.col("phase").is_in(["ed", "es"])).group_by("clip")
    spans = phases.agg(
        first=pl.col("frame").min(), last=pl.col("frame").max(), has_both=pl.col("phase").n_unique() == 2
    )
    lack = (
        pl.when(~pl.col("is_cine"))
        .then(STILL)
        .when(pl.col("has_both").fill_null(value=False).not_())
        .then(UNTRACED)
        .when(pl.col("last") - pl.col("first") < 2)
        .then(ADJACENT)
    )
    numbered = clips.select("clip", "is_cine").with_row_index("row")
    return numbered.join(spans, on="clip", how="left").sort("row").with_columns(lack=lack)


def _counted(table: pl.DataFrame) -> str:
    """How many clips lack what."""
    counts = table["lack"].drop_nulls().value_counts().sort("lack")
    return ", ".join(f"{lack}: {count}" for lack, count in counts.iter_rows())
