"""The scores artifact: a folder that evaluation leaves comes in; its table, summary and what they are of go out.

`scores.parquet` has one row an image and structure, `masks.parquet` what was found, `summary.json`, written last, the
figures with their intervals and where everything came from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from apical.errors import ApicalError
from apical.whole import whole_file

__all__ = ["ScoreCard", "Scores", "plain_values", "readable"]

SUMMARY, TABLE, FOUND = "summary.json", "scores.parquet", "masks.parquet"


@dataclass(frozen=True, kw_only=True)
class ScoreCard:
    """What `summary.json` says."""

    task: str
    run: Mapping[str, Any]
    """Which run was judged: its folder's name, command, labels, and which weights."""
    data: Mapping[str, Any]
    """On what: the dataset's title, content hash, split, and whether it is synthetic."""
    licences: tuple[str, ...]
    keys: tuple[str, ...]
    """Columns of the table that say what a row is of: rows of two evaluations are paired by them."""
    parts: tuple[str, ...]
    """Those of the keys by which tables are divided: the structure."""
    cluster: str
    """The column whose rows are alike: the patient."""
    ranking: tuple[str, str] | None
    """Columns with a belief and the truth, 0 or 1, where the area under the ROC curve says most."""
    figures: Mapping[str, bool]
    """Columns with figures, and whether higher is better; the first one counts most."""
    summary: Mapping[str, Any]
    versions: Mapping[str, str]
    remarks: tuple[str, ...] = ()
    notice: str = "Research use only. Not a medical device."


@dataclass(frozen=True)
class Scores:
    """A folder that `apical evaluate` left."""

    folder: Path
    card: ScoreCard = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> Scores:
        """The scores in `folder`; an error says what is wrong when there are none."""
        path = Path(folder) / SUMMARY
        if not path.is_file():
            raise ApicalError(
                "There are no scores here: no summary.json",
                where=str(folder),
                remedy="Name a folder that 'apical evaluate' wrote.",
            )
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            lists = {name: tuple(values[name]) for name in ("licences", "keys", "parts", "remarks")}
            ranking = values["ranking"] and tuple(values["ranking"])
            return cls(Path(folder), ScoreCard(**{**values, **lists, "ranking": ranking}))
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError):
            raise ApicalError(
                "The summary of these scores can't be read",
                where=str(path),
                remedy="Run 'apical evaluate' again.",
            ) from None

    @classmethod
    def write(cls, folder: Path, card: ScoreCard, table: pl.DataFrame, found: pl.DataFrame) -> Scores:
        """Write tables and then the summary, each whole or not at all."""
        for name, rows in ((TABLE, table), (FOUND, found)):
            with whole_file(folder / name) as part:
                rows.write_parquet(part)
        with whole_file(folder / SUMMARY) as part:
            part.write_text(
                json.dumps(plain_values(asdict(card)), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        return cls(folder, card)

    @cached_property
    def table(self) -> pl.DataFrame:
        """One row an image and structure."""
        return _table(self.folder / TABLE)

    @cached_property
    def found(self) -> pl.DataFrame:
        """The masks that were found, as run lengths at the source's size."""
        return _table(self.folder / FOUND)


def readable(value: float | None, form: str) -> str:
    """A figure as tables show it: a dash for what is not known, which is null once it was written."""
    if value is None or math.isnan(value):
        return "–"
    return format(
        value, form if form.startswith("+") else f"z{form}"
    )  # no minus before what rounds to nothing


def _table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        raise ApicalError(
            "This table of scores can't be read", where=str(path), remedy="Run 'apical evaluate' again."
        ) from None


def plain_values(value: Any) -> Any:
    """What JSON can hold: a figure that is not known is null."""
    if isinstance(value, Mapping):
        return {key: plain_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
