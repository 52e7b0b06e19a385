"""Ejection fractions from masks: by one plane and by two, where both phases are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from apical.dataset import Dataset
from apical.measures.discs import Discs, biplane_ml, discs_of_mask, ejection_fraction_percent, single_plane_ml
from apical.tasks._ejection import agreements, ejection_fractions
from apical.tasks._mask_answers import MaskAnswers, traced_images
from apical.tasks._mask_heads import Exclusive
from apical.tasks._mask_scores import MaskJudge
from tests.tasks.painted import painted

Datasets = Callable[..., Dataset]
LV = ("lv",)


def scores_of(dataset: Dataset, phases: tuple[str, ...] = ("ed", "es"), **settings: Any) -> pl.DataFrame:
    """Of the experts' masks as beliefs."""
    size = settings.get("size", dataset.frame_size)
    traced = dataset.traces.filter(pl.col("phase").is_in(list(phases))).select("clip", "frame").unique()
    examples = traced_images(dataset, dataset.usable_clips, LV).join(traced, on=["clip", "frame"], how="semi")
    beliefs = MaskAnswers(dataset, examples, LV).at(torch.arange(len(examples)), None, size)
    judge = MaskJudge(dataset, Exclusive(1), LV, size, cleans=True)
    rows = [
        row
        for example, belief in zip(examples.iter_rows(named=True), beliefs, strict=True)
        for row in judge.judge(example["clip"], example["frame"], belief)[0]
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def of_view(fractions: pl.DataFrame, view: str) -> pl.DataFrame:
    return fractions.filter(pl.col("echo_view") == view)


@pytest.mark.parametrize("layout", ["camus", "echonet_dynamic"])
def test_true_masks_of_phantoms_have_the_ejection_fraction_of_their_hearts(
    layout: str, phantom_dataset: Datasets
) -> None:
    dataset = phantom_dataset(layout)
    fractions = of_view(ejection_fractions(scores_of(dataset)), "both" if layout == "camus" else "a4c")
    known = fractions.join(dataset.usable_clips.select("clip", "ef_percent"), on="clip")
    assert len(known) == 8
    for source, most in (("true", 2.5), ("found", 3.0)):
        errors = (known[f"{source}_ef"] - known["ef_percent"]).abs()
        assert errors.mean() < 1.5  # type: ignore[operator]
        assert errors.max() < most  # type: ignore[operator]


def test_volumes_of_phantoms_are_those_of_their_hearts(
    phantom_dataset: Datasets, phantom_folder: Callable[..., Path]
) -> None:
    dataset = phantom_dataset("camus")
    truth = pl.read_parquet(phantom_folder("camus") / "phantom_truth" / "clips.parquet")
    volumes = truth.select("patient", "edv_ml", "esv_ml").unique()
    known = of_view(ejection_fractions(scores_of(dataset)), "both").join(volumes, on="patient")
    for name in ("edv", "esv"):
        errors = (known[f"true_{name}"] / known[f"{name}_ml"] - 1).abs()
        assert errors.max() < 0.08  # type: ignore[operator]


def test_each_plane_and_both_are_what_the_discs_say(tmp_path: Path) -> None:
    dataset = painted(tmp_path / "a", splits=["test"])
    fractions = ejection_fractions(scores_of(dataset))
    assert fractions["echo_view"].to_list() == ["a4c", "a2c", "both"]
    discs: dict[tuple[str, str], Discs] = {}
    for trace in dataset.traces.filter(pl.col("structure") == "lv").iter_rows(named=True):
        found = discs_of_mask(dataset.trace_mask(trace, at_source_size=True), (0.8, 0.8))
        assert found is not None
        discs[trace["clip"][-3:], trace["phase"]] = found
    for view in ("a4c", "a2c"):
        volumes = [single_plane_ml(discs[view, phase]) for phase in ("ed", "es")]
        row = of_view(fractions, view).row(0, named=True)
        assert [row["true_edv"], row["true_esv"]] == pytest.approx(volumes)
        assert row["true_ef"] == pytest.approx(ejection_fraction_percent(*volumes))
    volumes = [biplane_ml(discs["a4c", phase], discs["a2c", phase]) for phase in ("ed", "es")]
    assert of_view(fractions, "both")["true_ef"][0] == pytest.approx(ejection_fraction_percent(*volumes))


def test_a_clip_that_lacks_a_phase_has_no_row_and_its_patient_none_by_two_planes(tmp_path: Path) -> None:
    dataset = painted(tmp_path / "a", splits=["test"] * 2, untraced=[("p00-a2c", "es")])
    fractions = ejection_fractions(scores_of(dataset))
    assert fractions.select("patient", "echo_view").rows() == [
        ("p00", "a4c"),
        ("p01", "a4c"),
        ("p01", "a2c"),
        ("p01", "both"),
    ]


def test_a_phase_in_which_nothing_is_found_has_no_volume_and_its_clip_no_row(tmp_path: Path) -> None:
    scores = scores_of(painted(tmp_path / "a", splits=["test"]))
    lost = pl.when((pl.col("clip") == "p00-a4c") & (pl.col("phase") == "es")).then(None)
    fractions = ejection_fractions(scores.with_columns(found_volume=lost.otherwise("found_volume")))
    assert fractions["echo_view"].to_list() == ["a2c"]


def test_other_echo_views_and_other_phases_have_no_volume(tmp_path: Path) -> None:
    dataset = painted(tmp_path / "a", splits=["test"], echo_views=["plax", "a4c"])
    scores = scores_of(dataset)
    assert scores.filter(pl.col("echo_view") == "plax")["true_volume"].null_count() == 2
    assert ejection_fractions(scores)["echo_view"].to_list() == ["a4c"]
    assert ejection_fractions(scores.with_columns(phase=pl.lit(None, pl.String))).is_empty()


def test_no_rows_agree_with_nothing(tmp_path: Path) -> None:
    empty = ejection_fractions(scores_of(painted(tmp_path / "a", splits=["test"]))).clear()
    assert agreements(empty, None) == {}


def test_agreement_is_with_the_experts_masks_and_with_what_was_reported(tmp_path: Path) -> None:
    dataset = painted(tmp_path / "a", splits=["test"] * 3)
    fractions = ejection_fractions(scores_of(dataset))
    labels = pl.DataFrame({"clip": ["p00-a4c", "p01-a4c"], "ef_percent": [30.0, None]})
    found = agreements(fractions, labels)
    assert list(found)[:4] == [
        "ef a4c, expert's masks",
        "edv a4c, expert's masks",
        "esv a4c, expert's masks",
        "ef a4c, as reported",
    ]
    biplane = of_view(fractions, "both")
    errors = (biplane["found_ef"] - biplane["true_ef"]).to_numpy()
    assert found["ef biplane, expert's masks"]["bias"] == pytest.approx(errors.mean())
    assert found["ef biplane, expert's masks"]["mean_absolute_error"] == pytest.approx(np.abs(errors).mean())
    reported = found["ef a4c, as reported"]
    assert reported["n"] == 1
    assert reported["bias"] == pytest.approx(of_view(fractions, "a4c")["found_ef"][0] - 30)
    assert "ef a2c, as reported" not in found
