"""Masks beside masks: at the source's size and at the one worked on, in millimetres where they are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from apical import runlength
from apical.dataset import Dataset
from apical.tasks._mask_answers import MaskAnswers, traced_images
from apical.tasks._mask_heads import Exclusive, Independent, MaskHead
from apical.tasks._mask_scores import MaskJudge, cleaned
from apical.tasks._mask_summary import summarised, summary_lines
from tests.tasks.painted import STRUCTURES, painted

FIGURES = ("dice", "hd95", "asd", "iou", "dice_working")
LARGE: dict[str, Any] = {"source": (160, 130), "stored": (112, 96), "splits": ["test"] * 2}


def judged(
    dataset: Dataset,
    *,
    size: tuple[int, int] | None = None,
    moved: tuple[int, int] = (0, 0),
    head: MaskHead | None = None,
    cleans: bool = True,
    keeps: float = 1.0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Scores, and masks found, of the experts' masks as beliefs, moved by rows and columns."""
    size = size or dataset.frame_size
    examples = traced_images(dataset, dataset.usable_clips, STRUCTURES)
    beliefs = MaskAnswers(dataset, examples, STRUCTURES).at(torch.arange(len(examples)), None, size) * keeps
    judge = MaskJudge(dataset, head or Exclusive(3), STRUCTURES, size, cleans=cleans)
    rows = [
        judge.judge(row["clip"], row["frame"], belief.roll(moved, dims=(1, 2)))
        for row, belief in zip(examples.iter_rows(named=True), beliefs, strict=True)
    ]
    scores, found = (
        pl.DataFrame([row for part in parts for row in part]) for parts in zip(*rows, strict=True)
    )
    return scores, found


@pytest.mark.parametrize("mode", ["stretch", "pad"])
@pytest.mark.parametrize("stored", [(112, 96), (96, 112), (160, 130)])
def test_true_masks_are_right_at_the_sources_size(mode: str, stored: tuple[int, int], tmp_path: Path) -> None:
    dataset = painted(tmp_path / "a", **{**LARGE, "stored": stored, "mode": mode})
    scores, found = judged(dataset, cleans=False)
    assert (scores["dice_working"] == 1).all()
    assert scores.filter(pl.col("structure") != "myo")["dice"].min() > 0.97  # type: ignore[operator]
    assert scores["dice"].min() > 0.93  # type: ignore[operator]
    assert scores["hd95"].max() <= 0.8 * 2  # type: ignore[operator]
    assert set(found.select("height", "width").rows()) == {(160, 130)}
    for row, score in zip(found.iter_rows(named=True), scores.iter_rows(named=True), strict=True):
        mask = runlength.decode(row["runs"], row["height"], row["width"])
        assert mask.sum() == score["found_area"]
    if stored == (160, 130):
        assert (scores["dice"] == 1).all()


@pytest.mark.parametrize("mode", ["stretch", "pad"])
def test_it_may_be_worked_on_at_another_size_than_is_stored(mode: str, tmp_path: Path) -> None:
    dataset = painted(tmp_path / "a", **{**LARGE, "mode": mode})
    scores, _ = judged(dataset, size=(64, 64))
    ventricles = scores.filter(pl.col("structure") == "lv")
    assert ventricles["dice"].min() > 0.96  # type: ignore[operator]
    assert ventricles["dice_working"].min() > 0.99  # type: ignore[operator]


MOVES = [((4, 0), "y"), ((0, 4), "x"), ((0, -4), "x")]


@pytest.mark.parametrize(("moved", "axis"), MOVES)
@pytest.mark.parametrize("mode", ["stretch", "pad"])
def test_a_moved_mask_is_as_far_away_as_it_was_moved(
    mode: str, moved: tuple[int, int], axis: str, tmp_path: Path
) -> None:
    """Pixels are not square on disk, and are others again as stored and at the size worked on."""
    spacing = {"y": 0.5, "x": 0.9}
    dataset = painted(tmp_path / "a", **{**LARGE, "mode": mode, "spacing": (0.5, 0.9)})
    scores, _ = judged(dataset, size=(80, 64), moved=moved)
    stored = dataset.clip_row("p00-a4c")
    step = (
        stored[f"spacing_mm_{axis}"]
        * stored["height" if axis == "y" else "width"]
        / (80 if axis == "y" else 64)
    )
    distance = 4 * step
    ventricles = scores.filter(pl.col("structure") == "lv")
    assert (ventricles["unit"] == "mm").all()
    for name, tolerance in (("hd95", 1.5 * max(spacing.values())), ("hd95_working", 0.06 * distance)):
        assert ventricles[name].to_list() == pytest.approx([distance] * len(ventricles), abs=tolerance)


def test_distances_are_in_pixels_where_the_spacing_is_unknown(tmp_path: Path) -> None:
    unknown = painted(tmp_path / "px", **{**LARGE, "stored": (160, 130), "spacing": None})
    known = painted(tmp_path / "mm", **{**LARGE, "stored": (160, 130), "spacing": (0.5, 0.5)})
    pixels, millimetres = (judged(dataset, moved=(0, 6))[0] for dataset in (unknown, known))
    assert set(pixels["unit"]) == {"px"}
    for name in ("hd95", "asd", "hd95_working"):
        assert (pixels[name] / 2).to_list() == pytest.approx(millimetres[name].to_list())
    assert pixels["dice"].equals(millimetres["dice"])
    assert (pixels["true_volume"].drop_nulls() / 8).to_list() == pytest.approx(
        millimetres["true_volume"].drop_nulls().to_list()
    )


def test_both_heads_judge_masks_that_exclude_each_other_alike(tmp_path: Path) -> None:
    dataset = painted(tmp_path / "a", **LARGE)
    one, other = (judged(dataset, head=head)[0] for head in (Exclusive(3), Independent(3)))
    assert one["dice"].to_list() == pytest.approx(other["dice"].to_list(), abs=0.02)


def test_where_nothing_is_found_dice_is_0_and_distances_are_unknown_and_counted(tmp_path: Path) -> None:
    dataset = painted(tmp_path / "a", **LARGE)
    scores, _ = judged(dataset)
    nothing, _ = judged(dataset, keeps=0.0)
    assert set(nothing["dice"]) == set(nothing["dice_working"]) == {0.0}
    assert nothing["hd95"].is_nan().all()
    assert nothing["found_volume"].null_count() == len(nothing)
    mixed = pl.concat([scores[:9], nothing[9:]], how="vertical_relaxed")
    lv = summarised(mixed, FIGURES, None)["structures"]["lv"]["all"]
    assert (lv["images"], lv["found_nothing"]) == (8, 5)
    assert lv["dice"]["images"] == 8
    assert lv["dice"]["mean"] == pytest.approx(mixed.filter(pl.col("structure") == "lv")["dice"].mean())
    assert lv["hd95"]["images"] == 3
    assert 0 <= lv["hd95"]["mean"] < 2
    lines = summary_lines(summarised(mixed, FIGURES, None))
    assert "Nothing was found of lv in 5 of 8 images: Dice 0, no distance." in lines


def test_a_summary_is_that_of_its_rows(tmp_path: Path) -> None:
    scores, _ = judged(painted(tmp_path / "a", **LARGE), moved=(3, 3))
    summary = summarised(scores, FIGURES, None)["structures"]
    assert list(summary) == ["lv", "myo", "la"]
    assert list(summary["myo"]) == ["all", "ed", "es"]
    for structure, phases in summary.items():
        for phase, part in phases.items():
            rows = scores.filter(pl.col("structure") == structure)
            rows = rows if phase == "all" else rows.filter(pl.col("phase") == phase)
            assert (part["images"], part["patients"]) == (len(rows), 2)
            for name in FIGURES:
                assert part[name]["mean"] == pytest.approx(rows[name].mean())
                assert part[name]["sd"] == pytest.approx(rows[name].std())
                assert part[name]["median"] == pytest.approx(rows[name].median())
            shared, both = rows["shared_area"].to_numpy(), (rows["found_area"] + rows["true_area"]).to_numpy()
            assert part["pooled_dice"]["value"] == pytest.approx(2 * shared.sum() / both.sum())


def test_an_interval_is_that_of_patients_and_holds_the_mean(tmp_path: Path) -> None:
    scores, _ = judged(painted(tmp_path / "a", **LARGE), moved=(3, 3))
    one = summarised(scores.filter(pl.col("patient") == "p00"), FIGURES, None)["structures"]["lv"]["all"]
    assert np.isnan(one["dice"]["low"])
    dice = summarised(scores, FIGURES, None)["structures"]["lv"]["all"]["dice"]
    assert dice["low"] <= dice["mean"] <= dice["high"]


def test_the_table_says_in_what_unit_it_speaks(tmp_path: Path) -> None:
    for name, spacing in {"mm": (0.5, 0.5), "px": None}.items():
        scores, _ = judged(painted(tmp_path / name, **{**LARGE, "spacing": spacing}), moved=(3, 3))
        lines = summary_lines(summarised(scores, FIGURES, None))
        row = next(line for line in lines if line.startswith("lv, all"))
        assert row.count(f" {name} ") == 2
        assert len({len(line) for line in lines[:10]}) <= 2
        volumes = [line for line in lines if line.startswith("edv")]
        assert len(volumes) == 3
        assert all((" ml, " in line) == (name == "mm") for line in volumes)
        assert all((" px³ / 1000, " in line) == (name == "px") for line in volumes)


def shapes(*boxes: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((40, 40), np.bool_)
    for box in boxes:
        mask[box] = True
    return mask


class TestCleaning:
    LARGE = (slice(5, 25), slice(5, 25))
    SMALL = (slice(30, 35), slice(5, 15))

    def test_it_keeps_the_largest_part(self) -> None:
        np.testing.assert_array_equal(cleaned(shapes(self.LARGE, self.SMALL)), shapes(self.LARGE))

    def test_it_fills_holes(self) -> None:
        mask = shapes(self.LARGE)
        mask[10:13, 10:13] = False
        np.testing.assert_array_equal(cleaned(mask), shapes(self.LARGE))

    def test_it_leaves_one_part_and_no_part_as_they_are(self) -> None:
        for mask in (shapes(self.LARGE), shapes(), ~shapes()):
            np.testing.assert_array_equal(cleaned(mask), mask)

    def test_parts_that_touch_at_a_corner_are_two(self) -> None:
        mask = shapes((slice(5, 15), slice(5, 15)), (slice(15, 20), slice(15, 20)))
        np.testing.assert_array_equal(cleaned(mask), shapes((slice(5, 15), slice(5, 15))))

    @pytest.mark.parametrize("cleans", [True, False])
    def test_masks_are_cleaned_where_it_is_asked_for(self, cleans: bool, tmp_path: Path) -> None:
        dataset = painted(tmp_path / "a", **{**LARGE, "stored": (160, 130)})
        examples = traced_images(dataset, dataset.usable_clips, STRUCTURES)[:1]
        beliefs: Tensor = MaskAnswers(dataset, examples, STRUCTURES).at(torch.tensor([0]), None, (160, 130))[
            0
        ]
        beliefs[:, -3:, -3:] = torch.tensor([1.0, 0, 0])[:, None, None]
        judge = MaskJudge(dataset, Exclusive(3), STRUCTURES, (160, 130), cleans=cleans)
        lv = judge.judge(examples["clip"][0], examples["frame"][0], beliefs)[0][0]
        assert lv["found_area"] - lv["true_area"] == (0 if cleans else 9)
