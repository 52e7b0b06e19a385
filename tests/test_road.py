"""The road from a layout on disk to a dataset: what was drawn is what comes out, and what was planted is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from apical import registry, runlength
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.ingest import ingest
from apical.measures.discs import discs_of_mask, ejection_fraction_percent, single_plane_ml

LAYOUTS = registry.names("phantom.layouts")
TRACED = ["camus", "echonet_dynamic", "echonet_pediatric"]
PATIENTS_FOR_ALL_DIRT = {"echonet_dynamic": 56, "echonet_lvh": 40, "echonet_pediatric": 30, "dicom": 16}
Folder = Callable[..., Path]


@pytest.fixture(scope="module")
def road(
    phantom_folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Dataset, Path]]:
    """Datasets of clean synthetic folders, made once."""
    made: dict[str, tuple[Dataset, Path]] = {}

    def walked(layout: str) -> tuple[Dataset, Path]:
        if layout not in made:
            source = phantom_folder(layout)
            made[layout] = ingest(layout, source, tmp_path_factory.mktemp("road") / layout), source
        return made[layout]

    return walked


def truth_of(source: Path, table: str = "clips") -> pl.DataFrame:
    return pl.read_parquet(source / "phantom_truth" / f"{table}.parquet")


def keyed(dataset: Dataset, source: Path) -> pl.DataFrame:
    """The dataset's clips beside what is true of them; a DICOM clip is found through the private table."""
    clips = dataset.clips
    private = dataset.folder.with_name(dataset.folder.name + ".private") / "files.csv"
    if private.exists():
        paths = pl.read_csv(private).select("clip", pl.col("file").alias("source_path"))
        clips = clips.drop("source_path").join(paths, on="clip")
    return clips.join(truth_of(source), left_on="source_path", right_on="path", suffix="_true")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_clip_that_was_written_is_there_and_no_other(layout: str, road: Any) -> None:
    dataset, source = road(layout)
    truth = truth_of(source)
    assert dataset.clips["excluded"].null_count() == len(dataset.clips) == len(truth)
    assert dataset.card.counts["frames"] == int(truth["num_frames"].sum())
    assert dataset.card.counts["patients"] == truth["patient"].n_unique()
    assert dataset.exclusions.filter(pl.col("level") != "note").is_empty()
    assert dataset.card.is_synthetic


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_clip_keeps_its_echo_view_rate_and_frames(layout: str, road: Any) -> None:
    both = keyed(*road(layout))
    assert len(both) == len(road(layout)[0].clips)
    assert (both["num_frames"] == both["num_frames_true"]).all()
    known = both.filter(pl.col("echo_view") != "unknown")
    assert (known["echo_view"] == known["echo_view_true"]).all() or layout == "tmed2"
    timed = both.filter(pl.col("is_cine") & pl.col("fps_hz").is_not_null())
    np.testing.assert_allclose(timed["fps_hz"], timed["fps_hz_true"], rtol=0.02)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "dicom"])
def test_every_label_that_the_layout_tells_is_the_truth(layout: str, road: Any) -> None:
    both = keyed(*road(layout))
    compared = 0
    for row in both.iter_rows(named=True):
        for name in row["labels"]:
            if f"{name}_true" in row:
                expected = row[f"{name}_true"]
                assert row[name] == (
                    pytest.approx(expected, rel=0.01) if isinstance(expected, float) else expected
                )
                compared += 1
    assert compared >= len(both) // 2


@pytest.mark.parametrize("layout", TRACED)
def test_every_mask_is_the_truth(layout: str, road: Any) -> None:
    dataset, source = road(layout)
    truth = {
        (row["path"], row["frame"], row["structure"]): row
        for row in truth_of(source, "masks").iter_rows(named=True)
    }
    paths = dict(dataset.clips.select("clip", "source_path").rows())
    dices = []
    for trace in dataset.traces.iter_rows(named=True):
        true = truth.get((paths[trace["clip"]], trace["frame"], trace["structure"]))
        if true is not None:
            mask = dataset.trace_mask(trace, at_source_size=True)
            dices.append(dice(mask, runlength.decode(true["runs"], true["height"], true["width"])))
    assert len(dices) >= 16
    assert np.mean(dices) >= 0.98
    assert np.min(dices) >= 0.95


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


@pytest.mark.parametrize("layout", ["camus", "echonet_dynamic"])
def test_ejection_fraction_from_discs_is_the_drawn_one(layout: str, road: Any) -> None:
    dataset, source = road(layout)
    both = keyed(dataset, source).filter(pl.col("echo_view").is_in(["a4c", "a2c"]))
    errors = []
    for row in both.iter_rows(named=True):
        volumes = {}
        lv = dataset.traces.filter((pl.col("clip") == row["clip"]) & (pl.col("structure") == "lv"))
        for trace in lv.filter(pl.col("phase").is_not_null()).iter_rows(named=True):
            discs = discs_of_mask(dataset.trace_mask(trace, at_source_size=True))
            assert discs is not None
            volumes[trace["phase"]] = single_plane_ml(discs)
        errors.append(ejection_fraction_percent(volumes["ed"], volumes["es"]) - row["ef_percent_true"])
    assert abs(np.mean(errors)) <= 1.0
    assert np.mean(np.abs(errors)) <= 1.5


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_sector_is_found_and_all_beside_it_is_black(layout: str, road: Any) -> None:
    dataset, source = road(layout)
    fans = truth_of(source, "masks").filter(pl.col("structure") == "sector")
    both = keyed(dataset, source).join(fans.select("path", "runs"), left_on="source_path", right_on="path")
    recalls = []
    for row in both.iter_rows(named=True):
        fan = runlength.decode(row["runs"], row["height_true"], row["width_true"])
        frames, sector = dataset.clip_frames(row["clip"]), dataset.sector_mask(row["clip"])
        assert not frames[:, ~sector].any()
        if (row["source_height"], row["source_width"]) == (row["height"], row["width"]):
            recalls.append((fan & sector).sum() / fan.sum())
    assert not recalls or np.mean(recalls) >= 0.98


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_planted_fault_is_found_and_nothing_else_is_lost(
    layout: str, phantom_folder: Folder, tmp_path: Path
) -> None:
    source = phantom_folder(layout, PATIENTS_FOR_ALL_DIRT.get(layout, 24), dirt=True)
    planted = pl.read_csv(source / "phantom_truth" / "planted.csv", schema_overrides={"path": pl.String})
    torn = planted.filter(pl.col("cost") == "split")
    if len(torn):
        with pytest.raises(ApicalError, match="on_split_conflict"):
            ingest(layout, source, tmp_path / "refused")
    dataset = ingest(layout, source, tmp_path / "d", ["on_split_conflict=hold_out"])
    for fault in planted.filter(pl.col("cost") != "split").iter_rows(named=True):
        assert fault["cost"] in costs_of(dataset, fault["path"]), fault
    lost = set(dataset.clips.filter(pl.col("excluded").is_not_null())["clip"])
    meant = {
        clip for path in planted.filter(pl.col("cost") == "clip")["path"] for clip in clips_at(dataset, path)
    }
    torn_clips = {clip for path in torn["path"] for clip in clips_at(dataset, path)}
    torn_patients = dataset.clips.filter(pl.col("clip").is_in(list(torn_clips)))["patient"].to_list()
    meant |= set(dataset.clips.filter(pl.col("patient").is_in(torn_patients))["clip"])
    assert lost <= meant


def clips_at(dataset: Dataset, path: str) -> set[str]:
    """Clips of a source path; of a missing file, which has none, the clip of the same stem."""
    private = dataset.folder.with_name(dataset.folder.name + ".private") / "files.csv"
    if private.exists():
        return set(pl.read_csv(private).filter(pl.col("file").is_in([path, Path(path).stem]))["clip"])
    stem = Path(path).name.split(".")[0].removesuffix("_half_sequence")
    patient = Path(path).parent.name
    named = pl.col("clip").is_in([stem, f"{stem}-2", patient])
    return set(dataset.clips.filter((pl.col("source_path") == path) | named)["clip"])


def costs_of(dataset: Dataset, path: str) -> set[str]:
    return set(dataset.exclusions.filter(pl.col("clip").is_in(list(clips_at(dataset, path))))["level"])


def test_the_real_camus_comes_out_whole_and_upright(real_camus: Path, tmp_path: Path) -> None:
    dataset = ingest("camus", real_camus, tmp_path / "d")
    assert dataset.card.counts["frames"] == 898
    assert dataset.card.counts["patients"] == 449
    assert dict(dataset.usable_clips["split"].value_counts().iter_rows()) == {"train": 399, "val": 50}
    assert set(dataset.traces["structure"]) == {"lv", "myo", "la"}
    (absent,) = dataset.clips.filter(pl.col("excluded").is_not_null()).iter_rows(named=True)
    assert absent["patient"] == "patient0039"
    assert "no folder" in absent["excluded"]
    depths: dict[str, list[float]] = {"lv": [], "la": []}
    for trace in dataset.traces.filter(pl.col("structure").is_in(list(depths))).iter_rows(named=True):
        depths[trace["structure"]].append(float(np.nonzero(dataset.trace_mask(trace))[0].mean()))
    assert all(lv < la for lv, la in zip(depths["lv"], depths["la"], strict=True))
