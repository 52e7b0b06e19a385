"""The dataset artifact: a folder that ingest leaves comes in; its tables, frames and masks go out.

`clips.parquet` has one row a clip, `traces.parquet` one row a traced frame and structure, `exclusions.csv` one row
a fault, `frames.u8` all frames as 8-bit grey, clip after clip, and `dataset.json`, written last, says what they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from apical import runlength
from apical.errors import ApicalError, nearest
from apical.whole import whole_file

__all__ = ["CLIP_COLUMNS", "EXCLUSION_COLUMNS", "TRACE_COLUMNS", "Dataset", "DatasetCard"]

Frames = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

CLIP_COLUMNS: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "clip": pl.String,
    "patient": pl.String,
    "study": pl.String,
    "echo_view": pl.String,
    "split": pl.String,
    "is_cine": pl.Boolean,
    "num_frames": pl.Int64,
    "height": pl.Int64,
    "width": pl.Int64,
    "fps_hz": pl.Float64,
    "spacing_mm_y": pl.Float64,
    "spacing_mm_x": pl.Float64,
    "offset": pl.Int64,
    "source_path": pl.String,
    "source_files": pl.Int64,
    "source_sha256": pl.String,
    "source_height": pl.Int64,
    "source_width": pl.Int64,
    "crop_top": pl.Int64,
    "crop_left": pl.Int64,
    "crop_bottom": pl.Int64,
    "crop_right": pl.Int64,
    "sector_runs": pl.List(pl.UInt32),
    "excluded": pl.String,
}
"""What every dataset's clips have; the source's label columns stand between `sector_runs` and `excluded`."""

TRACE_COLUMNS: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "clip": pl.String,
    "frame": pl.Int64,
    "phase": pl.String,
    "structure": pl.String,
    "runs": pl.List(pl.UInt32),
    "source_runs": pl.List(pl.UInt32),
    "source_height": pl.Int64,
    "source_width": pl.Int64,
}

EXCLUSION_COLUMNS: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "clip": pl.String,
    "source_path": pl.String,
    "level": pl.String,
    "frame": pl.Int64,
    "reason": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """What `dataset.json` says: where the data come from, on what terms, what was done to them, what is in them."""

    source: str
    title: str
    licence: str
    citation: str
    url: str
    is_synthetic: bool
    preprocessing: Mapping[str, Any]
    counts: Mapping[str, int]
    exclusions: Mapping[str, int]
    """How many faults of each level: clip, trace, label, note."""
    content_sha256: str
    """Of the frames and tables: the same data prepared the same way have the same hash on any machine."""
    tool_version: str
    notice: str = "Research use only. Not a medical device."

    def write(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        with whole_file(path) as part:
            part.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> DatasetCard:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Dataset:
    """A complete dataset folder, read lazily; frames are memory-mapped."""

    folder: Path
    card: DatasetCard = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """The dataset in `folder`; an error says what to do when it is missing or unfinished."""
        path = Path(folder) / "dataset.json"
        if not path.is_file():
            raise ApicalError(
                "This is no complete dataset: it has no dataset.json",
                where=str(folder),
                remedy="Run 'apical ingest' into this folder; an interrupted ingest continues where it stopped."
                if Path(folder).is_dir()
                else "There is no such folder: check the path.",
            )
        try:
            return cls(Path(folder), DatasetCard.read(path))
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError):
            raise ApicalError(
                "The card of this dataset can't be read", where=str(path), remedy="Run 'apical ingest' again."
            ) from None

    @cached_property
    def clips(self) -> pl.DataFrame:
        """One row a clip, excluded ones too."""
        return pl.read_parquet(self.folder / "clips.parquet")

    @cached_property
    def usable_clips(self) -> pl.DataFrame:
        """The clips that are not excluded."""
        return self.clips.filter(pl.col("excluded").is_null())

    @cached_property
    def traces(self) -> pl.DataFrame:
        """One row a traced frame and structure."""
        return pl.read_parquet(self.folder / "traces.parquet")

    @cached_property
    def exclusions(self) -> pl.DataFrame:
        """One row a fault: the clips, traces and labels that were left out and why, and what was odd but kept."""
        return pl.read_csv(self.folder / "exclusions.csv", schema=pl.Schema(EXCLUSION_COLUMNS))

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """The label columns of `clips`."""
        return tuple(name for name in self.clips.columns if name not in CLIP_COLUMNS)

    @cached_property
    def frames(self) -> Frames:
        """All bytes of `frames.u8`, memory-mapped and read-only: (total,)."""
        path = self.folder / "frames.u8"
        if path.stat().st_size == 0:
            return np.zeros(0, dtype=np.uint8)
        return np.memmap(path, dtype=np.uint8, mode="r")

    @cached_property
    def frame_size(self) -> tuple[int, int]:
        """The height and width that all frames have, so that any of them can share a batch."""
        sizes = sorted(self.usable_clips.select("height", "width").unique().iter_rows())
        if len(sizes) == 1:
            return sizes[0]
        if not sizes:
            raise ApicalError(
                "This dataset has no usable clip",
                where=str(self.folder),
                remedy="Look at its exclusions: 'apical inspect' lists the reasons.",
            )
        height, width = max(sizes)
        raise ApicalError(
            "Frames of one size are needed",
            where=str(self.folder),
            seen=", ".join(f"{height} x {width}" for height, width in sizes[:4]),
            remedy=f"Ingest the data again with one size for all, such as height={height} width={width}.",
        )

    def clip_row(self, clip: str) -> dict[str, Any]:
        """The row of a usable clip."""
        found = self._row_of.get(clip)
        if found is None:
            raise ApicalError(
                f"There is no usable clip '{clip}'",
                where=str(self.folder),
                remedy=nearest(clip, self._row_of)[:400],
            )
        return self.usable_clips.row(found, named=True)

    def clip_frames(self, clip: str) -> Frames:
        """A view, not a copy, of a clip's frames: (T, H, W)."""
        row = self.clip_row(clip)
        shape = row["num_frames"], row["height"], row["width"]
        start = row["offset"]
        return self.frames[start : start + int(np.prod(shape))].reshape(shape)

    def trace_mask(self, trace: Mapping[str, Any], *, at_source_size: bool = False) -> Mask:
        """The mask (H, W) of a row of `traces`, at the stored size or as large as the source's own frames."""
        if at_source_size and trace["source_runs"] is not None:
            return runlength.decode(trace["source_runs"], trace["source_height"], trace["source_width"])
        row = self.clip_row(trace["clip"])
        return runlength.decode(trace["runs"], row["height"], row["width"])

    def sector_mask(self, clip: str) -> Mask:
        """Where in the stored frames the ultrasound sector is: (H, W)."""
        row = self.clip_row(clip)
        if row["sector_runs"] is None:
            return np.ones((row["height"], row["width"]), dtype=np.bool_)
        return runlength.decode(row["sector_runs"], row["height"], row["width"])

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {clip: index for index, clip in enumerate(self.usable_clips["clip"])}


def clip_schema(labels: Iterable[str], texts: Iterable[str]) -> pl.Schema:
    """Columns of `clips.parquet` for a source with these label columns; `texts` are those that hold words."""
    words = set(texts)
    columns: dict[str, Any] = {name: kind for name, kind in CLIP_COLUMNS.items() if name != "excluded"}
    columns.update({name: pl.String if name in words else pl.Float64 for name in labels})
    columns["excluded"] = pl.String
    return pl.Schema(columns)
