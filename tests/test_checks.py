"""Each warning is given when it matters, and only then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from apical.checks import traced_ef_percent, warnings_of
from apical.dataset import Dataset
from apical.ingest import ingest


@pytest.fixture(scope="module")
def dataset(phantom_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("checks") / "dataset"
    return ingest("echonet_dynamic", phantom_folder("echonet_dynamic", 16), out, ["processes=1"])


def changed(dataset: Dataset, *columns: pl.Expr) -> Dataset:
    """The dataset with other columns in `clips`, nothing written."""
    other = replace(dataset)
    other.__dict__["clips"] = dataset.clips.with_columns(*columns)
    return other


def test_a_sound_dataset_is_warned_of_its_unknown_scale_alone(dataset: Dataset) -> None:
    (warning,) = warnings_of(dataset)
    assert "spacing" in warning


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.lit("same").alias("source_sha256"), "byte for byte, in two splits"),
        (pl.lit("none").alias("split"), "No clip has a split"),
        (pl.lit("train").alias("split"), "none to test on"),
        (pl.lit(None, pl.Float64).alias("fps_hz"), "frame rate is unknown"),
        (pl.lit(97.0).alias("ef_percent"), "outside 5 to 90"),
        ((pl.col("ef_percent") - 30).alias("ef_percent"), "points from the label"),
        (pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("bad")).alias("excluded"), "are excluded"),
    ],
)
def test_what_misleads_is_said(dataset: Dataset, column: pl.Expr, expected: str) -> None:
    assert any(expected in warning for warning in warnings_of(changed(dataset, column)))


def test_the_traces_own_ejection_fraction_is_the_labels(dataset: Dataset) -> None:
    for row in dataset.usable_clips.iter_rows(named=True):
        measured = traced_ef_percent(dataset, row["clip"])
        assert measured == pytest.approx(row["ef_percent"], abs=6.0)
