"""Who is annotated: whole patients, nested, and the same for every method; single images for the paper's sake alone."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apical.errors import ApicalError
from apical.labels import Amount, By, LabelDraw, draw_labels

SEEDS = st.integers(0, 2**32)


def examples(patients: int, first: int = 0, images: int = 4) -> pl.DataFrame:
    """So many images of each of so many patients."""
    rows = [
        {"row": patient, "clip": f"p{patient}-{image % 2}", "frame": image, "patient": f"p{patient}"}
        for patient in range(first, first + patients)
        for image in range(images)
    ]
    return pl.DataFrame(rows)


def drawn(table: pl.DataFrame, amount: str, seed: int = 0, by: By = "patient") -> LabelDraw:
    return draw_labels(table, amount, seed, by)


@pytest.mark.parametrize(("amount", "count"), [("20", 20), ("5%", 2), ("12.5%", 5), ("1%", 1), ("all", 40)])
def test_an_amount_is_a_number_of_patients_a_share_of_them_or_all(amount: str, count: int) -> None:
    draw = drawn(examples(40), amount)
    assert len(draw.patients) == count
    assert len(set(draw.patients)) == count
    assert len(draw.images) == 4 * count


@pytest.mark.parametrize("seed", range(5))
def test_all_images_of_a_patient_come_with_it_and_no_others(seed: int) -> None:
    table = examples(12)
    draw = drawn(table, "5", seed)
    wanted = table.filter(pl.col("patient").is_in(list(draw.patients))).select("clip", "frame")
    assert sorted(draw.images) == sorted(wanted.iter_rows())


@given(seed=SEEDS, sizes=st.lists(st.integers(1, 30), min_size=2, max_size=2))
def test_a_smaller_draw_lies_within_every_larger_one(seed: int, sizes: list[int]) -> None:
    few, more = (drawn(examples(30), str(size), seed) for size in sorted(sizes))
    assert more.patients[: len(few.patients)] == few.patients
    assert set(few.images) <= set(more.images)


@given(seed=SEEDS, share=st.sampled_from(["5%", "10%", "25%"]))
def test_shares_lie_within_larger_shares_and_within_all(seed: int, share: str) -> None:
    table = examples(23)
    few, half, every = (set(drawn(table, amount, seed).images) for amount in (share, "50%", "all"))
    assert few <= half <= every


@given(seed=SEEDS, number=st.integers(1, 10))
def test_patients_that_are_added_change_no_others_place(seed: int, number: int) -> None:
    before, after = examples(10), pl.concat([examples(10), examples(7, first=10)])
    old = drawn(before, "all", seed).patients
    assert tuple(each for each in drawn(after, "all", seed).patients if each in old) == old
    few = drawn(before, str(number), seed).patients
    assert set(few) <= set(drawn(after, str(number + 7), seed).patients)


def test_neither_the_order_of_the_table_nor_what_else_it_says_changes_the_draw() -> None:
    table = examples(15)
    other = table.sample(fraction=1, shuffle=True, seed=1).with_columns(row=0)
    assert drawn(table, "6").patients == drawn(other, "6").patients
    assert set(drawn(table, "6").images) == set(drawn(other, "6").images)


def test_another_seed_gives_another_draw() -> None:
    draws = {drawn(examples(30), "10", seed).patients for seed in range(20)}
    assert len(draws) == 20
    counts = pl.Series([patient for draw in draws for patient in draw]).value_counts()["count"]
    assert counts.max() < 20  # type: ignore[operator]
    assert len(counts) > 25


@pytest.mark.parametrize("text", ["", "0", "-3", "2.5", "5 %", "0%", "101%", "many", "all of them"])
def test_what_is_no_amount_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="'all', a number of patients such as 20, or a share such as 5%"):
        Amount.read(text)


@pytest.mark.parametrize(("by", "what", "there"), [("patient", "patients", 3), ("image", "images", 12)])
def test_more_than_there_are_is_refused_with_how_many_there_are(by: By, what: str, there: int) -> None:
    with pytest.raises(
        ApicalError, match=f"fewer than 13 annotated {what}.*Seen: {there} {what}.*--labels all"
    ):
        drawn(examples(3), "13", by=by)


def test_by_image_a_share_is_rounded_down_and_patients_may_be_cut_apart() -> None:
    draw = drawn(examples(21), "5%", by="image")
    assert len(draw.images) == 4  # of 84
    draw = drawn(examples(20), "50%", by="image")
    assert len(draw.images) == 40
    assert len(draw.patients) > 10
    assert drawn(examples(2), "1%", by="image").images == drawn(examples(2), "1", by="image").images


@pytest.mark.parametrize("seed", range(3))
def test_by_image_no_image_is_drawn_twice_and_smaller_draws_are_nested(seed: int) -> None:
    few, more = (drawn(examples(9), amount, seed, "image").images for amount in ("7", "20"))
    assert len(set(more)) == 20
    assert set(few) <= set(more)
    assert set(few) != set(drawn(examples(9), "7", seed + 1, "image").images)


def test_what_was_drawn_is_kept_in_a_file(tmp_path: Path) -> None:
    draw = drawn(examples(5), "2", 7)
    draw.write(tmp_path)
    kept = json.loads((tmp_path / "labels.json").read_text())
    assert (kept["amount"], kept["by"], kept["seed"]) == ("2", "patient", 7)
    assert tuple(kept["patients"]) == draw.patients
    assert [tuple(image) for image in kept["images"]] == list(draw.images)
