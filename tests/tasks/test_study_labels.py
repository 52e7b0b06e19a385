"""Labels of studies: what each word means, and one clear message where it means nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.tasks._study_labels import answers_of, classes_of
from tests.tasks.painted import painted

WALL = 1.1


@pytest.fixture
def labelled(tmp_path: Path) -> Any:
    """Datasets of three patients, each with two videos, with these label columns instead."""

    def write(**columns: list[Any]) -> Dataset:
        dataset = painted(tmp_path / f"dataset{len(list(tmp_path.iterdir()))}", splits=("train",) * 3)
        clips = dataset.clips.drop("as_severe", "as_grade", "ef_percent")
        doubled = {name: [value for value in values for _ in range(2)] for name, values in columns.items()}
        values = [pl.Series(name, column) for name, column in doubled.items()]
        clips.with_columns(values).write_parquet(dataset.folder / "clips.parquet")
        return Dataset.open(dataset.folder)

    return write


def answers(dataset: Dataset, label: str) -> dict[str, int]:
    classes = classes_of(dataset, label, WALL)
    known = answers_of(dataset, label, WALL, classes)
    return dict(known.select("patient", "answer").unique().sort("patient").iter_rows())


def test_a_column_of_yes_and_no_is_taken_as_it_is_and_unknown_ones_are_left_out(labelled: Any) -> None:
    dataset = labelled(as_severe=[0.0, 1.0, None])
    assert classes_of(dataset, "as_severe", WALL) == ("no", "yes")
    assert answers(dataset, "as_severe") == {"p00": 0, "p01": 1}


def test_stenosis_is_made_of_grades_where_it_is_no_column(labelled: Any) -> None:
    dataset = labelled(as_grade=["none", "mild", "severe"])
    assert answers(dataset, "as_severe") == {"p00": 0, "p01": 0, "p02": 1}
    assert answers(dataset, "as_any") == {"p00": 0, "p01": 1, "p02": 1}


def test_grades_are_in_their_order_and_other_words_in_that_of_the_alphabet(labelled: Any) -> None:
    dataset = labelled(as_grade=["severe", "none", "mild"], colour=["red", "blue", "red"])
    assert classes_of(dataset, "as_grade", WALL) == ("none", "mild", "severe")
    assert answers(dataset, "as_grade") == {"p00": 2, "p01": 0, "p02": 1}
    assert classes_of(dataset, "colour", WALL) == ("blue", "red")


def test_hypertrophy_is_a_column_or_a_thick_wall(labelled: Any) -> None:
    walls = labelled(ivs_cm=[1.0, 1.3, 0.9], lvpw_cm=[1.1, 0.8, None])
    assert answers(walls, "lvh") == {"p00": 0, "p01": 1}
    assert answers(labelled(lvh=[1.0, 0.0, 0.0], ivs_cm=[0.9, 1.4, 1.4]), "lvh") == {
        "p00": 1,
        "p01": 0,
        "p02": 0,
    }


def test_a_measure_has_a_limit(labelled: Any) -> None:
    dataset = labelled(ef_percent=[40.0, 50.0, 61.5])
    assert answers(dataset, "ef_percent<50") == {"p00": 1, "p01": 0, "p02": 0}
    assert answers(dataset, " ef_percent > 50 ") == {"p00": 0, "p01": 0, "p02": 1}


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("ef_percent", "is a measure"),
        ("as_sevre", "no label 'as_sevre'"),
        ("lvh", "no label 'lvh'"),
        ("as_grade<3", "holds words"),
        ("height_cm>3", "no label 'height_cm'"),
        ("same", "1 different words"),
    ],
)
def test_what_means_nothing_is_an_error_that_says_what_there_is(labelled: Any, label: str, said: str) -> None:
    dataset = labelled(ef_percent=[40.0, 50.0, 61.5], as_grade=["none", "mild", "mild"], same=["a", "a", "a"])
    with pytest.raises(ApicalError, match=said):
        answers(dataset, label)


def test_videos_of_a_study_that_disagree_are_an_error(labelled: Any) -> None:
    dataset = labelled(lvh=[0.0, 1.0, 0.0])
    clips = dataset.clips.with_columns(pl.Series("lvh", [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]))
    clips.write_parquet(dataset.folder / "clips.parquet")
    with pytest.raises(ApicalError, match="videos of 1 studies have different answers"):
        answers(Dataset.open(dataset.folder), "lvh")


def test_grades_that_were_not_learnt_are_an_error(labelled: Any) -> None:
    dataset = labelled(as_grade=["none", "mild", "severe"])
    with pytest.raises(ApicalError, match="not learnt: mild"):
        answers_of(dataset, "as_grade", WALL, ("none", "severe"))
    known = answers_of(dataset, "as_grade", WALL, ("none", "early", "mild", "severe"))
    assert sorted(known["answer"].unique()) == [0, 2, 3]
