"""Comparisons: image by image, with patients as what was drawn, and only of what can be compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from apical.compare import compare, comparison_lines
from apical.errors import ApicalError
from apical.statistics.holm import holm
from apical.statistics.paired import compare as compare_columns
from tests.test_scores import written

PATIENTS = [f"p{number:02}" for number in range(12)]


def dice(seed: int, shift: float = 0.0) -> dict[str, list[float]]:
    """Figures of two images of each patient."""
    random = np.random.default_rng(seed)
    return {patient: (0.85 + shift + random.normal(0, 0.03, 2)).tolist() for patient in PATIENTS}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return written(tmp_path / "first", dice(0)).folder


def test_scores_compared_with_themselves_do_not_differ(first: Path, tmp_path: Path) -> None:
    same = written(tmp_path / "same", dice(0)).folder
    for other in (first, same):
        (row,) = compare([first, other]).rows
        assert (row.difference.value, row.difference.low, row.difference.high) == (0, 0, 0)
        assert (row.difference.p, row.adjusted_p) == (1, 1)
        assert row.mean == row.first_mean
        assert (row.images, row.patients) == (24, 12)


def test_a_difference_is_second_minus_first_paired_and_clustered_by_patient(
    first: Path, tmp_path: Path
) -> None:
    better = written(tmp_path / "better", dice(1, 0.04)).folder
    (row,) = compare([first, better]).rows
    mine, theirs = (
        np.array(list(dice(seed, shift).values())).ravel() for seed, shift in ((0, 0.0), (1, 0.04))
    )
    expected = compare_columns(theirs, mine, np.repeat(PATIENTS, 2).tolist())
    assert row.difference == expected
    assert row.difference.value == pytest.approx(theirs.mean() - mine.mean())
    assert row.difference.low < row.difference.value < row.difference.high
    assert row.difference.num_clusters == 12
    (back,) = compare([better, first]).rows
    assert back.difference.value == pytest.approx(-row.difference.value)
    assert back.difference.p == pytest.approx(row.difference.p)


def test_p_values_are_corrected_over_all_rows_of_the_table(tmp_path: Path) -> None:
    structures = ("lv", "myo")
    folders = [
        written(tmp_path / name, dice(seed, shift), structures=structures).folder
        for name, seed, shift in (("a", 0, 0.0), ("b", 1, 0.02), ("c", 2, 0.005))
    ]
    rows = compare(folders).rows
    assert [(row.name, row.part) for row in rows] == [("b", "lv"), ("b", "myo"), ("c", "lv"), ("c", "myo")]
    assert [row.adjusted_p for row in rows] == pytest.approx(
        holm([row.difference.p for row in rows]).tolist()
    )
    assert all(row.adjusted_p >= row.difference.p for row in rows)
    assert all(row.images == 24 for row in rows)


def test_of_structures_that_one_of_them_lacks_only_the_others_are_compared(tmp_path: Path) -> None:
    more = written(tmp_path / "more", dice(0), structures=("lv", "myo", "la")).folder
    fewer = written(tmp_path / "fewer", dice(1), structures=("lv",)).folder
    for pair in ([more, fewer], [fewer, more]):
        assert [row.part for row in compare(pair).rows] == ["lv"]


def test_any_figure_may_be_compared(first: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other", dice(1)).folder
    (row,) = compare([first, other], figure="hd95").rows
    mine, theirs = (10 * (1 - np.array(list(dice(seed).values()))) for seed in (0, 1))
    assert row.difference.value == pytest.approx(theirs.mean() - mine.mean())
    with pytest.raises(ApicalError, match=r"no figure 'dcie'.*Did you mean 'dice'"):
        compare([first, other], figure="dcie")


def test_images_without_the_figure_are_left_out_of_both_and_counted(first: Path, tmp_path: Path) -> None:
    lost = dice(1)
    lost["p03"] = [0.0, 0.9]
    other = written(tmp_path / "lost", lost).folder
    comparison = compare([first, other], figure="hd95", out=tmp_path / "table.json")
    (row,) = comparison.rows
    assert (row.images, row.left_out, row.patients) == (23, 1, 12)
    mine, theirs = (10 * (1 - np.array(list(figures.values())).ravel()) for figures in (dice(0), lost))
    known = theirs < 10
    assert row.difference.value == pytest.approx((theirs - mine)[known].mean())
    assert row.first_mean == pytest.approx(mine[known].mean())
    assert "lost, lv: 1 images left out, in which hd95 is not known of both." in comparison_lines(comparison)
    assert json.loads((tmp_path / "table.json").read_text())["rows"][0]["left_out"] == 1
    (row,) = compare([first, other]).rows
    assert (row.images, row.left_out) == (24, 0)


def test_where_no_image_has_the_figure_nothing_is_said(first: Path, tmp_path: Path) -> None:
    nothing = written(tmp_path / "nothing", {patient: [0.0, 0.0] for patient in PATIENTS}).folder
    comparison = compare([first, nothing], figure="hd95", out=tmp_path / "table.json")
    assert np.isnan(
        [comparison.rows[0].difference.p, comparison.rows[0].adjusted_p, comparison.rows[0].mean]
    ).all()
    assert not any("nan" in line for line in comparison_lines(comparison))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    table = json.loads((tmp_path / "table.json").read_text(), parse_constant=refuse)
    assert table["rows"][0]["difference"]["value"] is None


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [written(tmp_path / run / "scores", dice(seed)).folder for seed, run in enumerate("abc")]
    comparison = compare(folders)
    assert len({comparison.first, *(row.name for row in comparison.rows)}) == 3


def test_the_table_is_written_and_told(first: Path, tmp_path: Path) -> None:
    better = written(tmp_path / "better", dice(1, 0.04)).folder
    comparison = compare([first, better], out=tmp_path / "table.json")
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["figure"] == "dice"
    assert table["is_synthetic"]
    assert table["rows"][0]["difference"]["value"] == comparison.rows[0].difference.value
    lines = comparison_lines(comparison)
    assert lines[0] == "dice on Painted hearts, test (synthetic data), compared with first:"
    assert lines[2].startswith("better, lv  ")
    assert lines[-1] == "Research use only. Not a medical device."
    heading, row = lines[1:3]
    assert len(heading) == len(row)
    assert f"{comparison.rows[0].mean:.4f}" == row[heading.index("mean") - 2 :].split()[0]
    assert row.index("(") == heading.index("difference") + len("+0.0000 ")


class TestMishaps:
    """Each is one message that says what to do."""

    def test_one_folder(self, first: Path) -> None:
        with pytest.raises(ApicalError, match="nothing to compare with"):
            compare([first])

    def test_no_scores(self, first: Path, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match=r"no summary\.json"):
            compare([first, tmp_path])

    def test_other_data_or_another_task(self, first: Path, tmp_path: Path) -> None:
        data = written(tmp_path / "data", dice(0), data="b").folder
        task = written(tmp_path / "task", dice(0), task="view_classification").folder
        for other in (data, task):
            with pytest.raises(ApicalError, match=r"another task or other data.*same dataset and split"):
                compare([first, other])

    def test_other_images(self, first: Path, tmp_path: Path) -> None:
        fewer = {patient: values for patient, values in dice(0).items() if patient != "p00"}
        more = {**dice(0), "p99": [0.9]}
        for name, figures in {"fewer": fewer, "more": more}.items():
            other = written(tmp_path / name, figures).folder
            with pytest.raises(ApicalError, match=r"not of the same images.*24"):
                compare([first, other])

    def test_nothing_in_common(self, first: Path, tmp_path: Path) -> None:
        other = written(tmp_path / "other", dice(0), structures=("la",)).folder
        with pytest.raises(ApicalError, match="not of the same images"):
            compare([first, other])

    def test_a_figure_that_the_other_lacks(self, first: Path, tmp_path: Path) -> None:
        older = written(tmp_path / "older", dice(0), figures={"dice": True}).folder
        with pytest.raises(ApicalError, match="no figure 'hd95'"):
            compare([first, older], figure="hd95")
