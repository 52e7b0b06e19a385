"""Splits of one's own take the place of the source's, and what is wrong in their file is told by its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.ingest import ingest
from apical.inspect import inspect, report_lines
from apical.leakage import leaking_patients
from apical.sources.base import ClipRecord
from apical.split_file import with_splits

ONE = ["processes=1"]


def record(clip: str, patient: str) -> ClipRecord:
    return ClipRecord(clip=clip, patient=patient, study=patient, files=(), split="val")


RECORDS = [record("a1", "a"), record("a2", "a"), record("b1", "b"), record("b2", "b"), record("b3", "b")]
NAMES = [f"scan {each.clip}" for each in RECORDS]


def splits_of(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return [each.split for each in with_splits(RECORDS, NAMES, path)]


def test_a_clip_that_the_file_lacks_goes_with_its_patient_or_has_none(tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    assert splits_of(path, "clip,split\na1,train\nb1,train\nb2,test\n") == [
        "train",
        "train",
        "train",
        "test",
        "none",
    ]
    faults = [len(each.faults) for each in with_splits(RECORDS, NAMES, path)]
    assert faults == [0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffClip;Split;grade\nscan a1;train;1\nscan b1; TEST ;2\n\n",
        "split\tclip\r\ntrain\ta1\r\ntest\tb1\r\n",
        "clip,split\na1,train\na1,train\nb1,test\n",
    ],
)
def test_spellings_of_tables_and_names_of_the_source_are_understood(text: str, tmp_path: Path) -> None:
    assert splits_of(tmp_path / "splits.csv", text) == ["train", "train", "test", "test", "test"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "clip,split\na1,train\nJane Doe,test\n",
            r"line 3: This line names a clip that the data set does not",
        ),
        ("clip,split\n\na1,learn\n", r"line 3: This line has no split that is known.*train"),
        ("clip,split\na1\n", r"line 2: This line has no split"),
        ("clip,split\na1,train\na1,test\n", r"line 3: This line puts a clip into another split"),
        ("name,split\na1,train\n", r"line 1: The file of splits lacks the columns"),
        ("", r"lacks the columns"),
    ],
)
def test_what_is_wrong_is_told_by_its_line_and_without_its_text(
    text: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(ApicalError, match=expected) as error:
        splits_of(tmp_path / "splits.csv", text)
    assert "Jane" not in str(error.value)


@pytest.mark.parametrize("content", [None, b"clip,split\n\xff\xfe"])
def test_a_file_that_cannot_be_read_is_told(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ApicalError, match="can't be read"):
        with_splits(RECORDS, NAMES, path)


@pytest.fixture
def by_image(phantom_dataset: Callable[..., Dataset], tmp_path: Path) -> Path:
    """A file that puts every fifth image into the test split, whoever it is of."""
    clips = phantom_dataset("tmed2").clips.select("clip")
    split = pl.when(pl.int_range(pl.len()) % 5 == 0).then(pl.lit("test")).otherwise(pl.lit("train"))
    clips.with_columns(split.alias("split")).write_csv(tmp_path / "splits.csv")
    return tmp_path / "splits.csv"


def test_a_split_by_image_is_refused_or_kept_as_asked_for_and_said(
    phantom_folder: Callable[..., Path], by_image: Path, tmp_path: Path
) -> None:
    source, settings = phantom_folder("tmed2"), [*ONE, f"splits={by_image}"]
    with pytest.raises(ApicalError, match=r"stand in two splits.*allow_leakage=true"):
        ingest("tmed2", source, tmp_path / "d", settings)
    dataset = ingest("tmed2", source, tmp_path / "d", [*settings, "allow_leakage=true"])
    wanted = dict(pl.read_csv(by_image).iter_rows())
    assert dict(dataset.clips.select("clip", "split").iter_rows()) == wanted
    leaking = len(leaking_patients(dataset))
    assert leaking > 0
    assert dataset.card.counts["leaking_patients"] == leaking
    inspection = inspect(dataset.folder, tmp_path / "look")
    assert f"{leaking} patients stand on both sides of the splits" in inspection.warnings[0]
    assert "both sides" in "\n".join(report_lines(inspection))
    assert "both sides" in inspection.page.read_text()


def test_allowing_leakage_changes_nothing_where_there_is_none(
    phantom_folder: Callable[..., Path], phantom_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    before = phantom_dataset("tmed2")
    after = ingest("tmed2", phantom_folder("tmed2"), tmp_path / "d", [*ONE, "allow_leakage=true"])
    assert after.card.content_sha256 == before.card.content_sha256
    assert "leaking_patients" not in json.loads((after.folder / "dataset.json").read_text())["counts"]
    assert not any("both sides" in line for line in inspect(after.folder, tmp_path / "look").warnings)


def test_splits_of_ones_own_change_the_content_hash(
    phantom_folder: Callable[..., Path], phantom_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    before = phantom_dataset("tmed2")
    before.clips.select("clip", split=pl.lit("test")).write_csv(tmp_path / "splits.csv")
    settings = [*ONE, f"splits={tmp_path / 'splits.csv'}"]
    after = ingest("tmed2", phantom_folder("tmed2"), tmp_path / "d", settings)
    assert set(after.clips["split"]) == {"test"}
    assert after.card.content_sha256 != before.card.content_sha256
