"""What every source keeps to, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from apical import registry
from apical.errors import ApicalError
from apical.sources.base import EchoView, Source, Split

SOURCES = registry.names("sources")
LABELLED = [name for name in SOURCES if name in registry.names("phantom.layouts")]
CLEAN = {"patients": 2}
DIRTY = {"patients": 4, "dirt": True}
SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def source(name: str) -> Source:
    piece: Source = registry.load("sources", name)()
    return piece


@pytest.mark.parametrize("name", SOURCES)
def test_terms_and_sizes_are_told(name: str) -> None:
    piece = source(name)
    assert piece.title
    assert piece.licence
    assert piece.citation
    assert piece.markers
    assert piece.height > 0
    assert piece.width > 0
    assert piece.fit in ("stretch", "pad")


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("has_stranger", [False, True])
def test_another_folder_is_refused_with_what_was_expected(
    name: str, has_stranger: bool, tmp_path: Path
) -> None:
    if has_stranger:
        (tmp_path / "Jane Doe.txt").touch()
    with pytest.raises(ApicalError) as caught:
        list(source(name).scan(tmp_path))
    message = str(caught.value)
    assert source(name).title in message
    assert source(name).markers[0].removeprefix("**/*").removesuffix("*").lower() in message.lower()
    assert "Jane" not in message


def test_a_folder_of_another_source_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "MeasurementsList.csv").touch()
    with pytest.raises(ApicalError, match="It looks like the source echonet_lvh"):
        list(source("camus").scan(tmp_path))


@pytest.mark.parametrize("name", SOURCES)
def test_a_folder_that_does_not_exist_is_said_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="no such folder"):
        list(source(name).scan(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("echonet_dynamic", "FileList.csv:FileName,EF,ESV,EDV"),
        ("echonet_lvh", "MeasurementsList.csv:HashedFileName,Calc,CalcValue"),
        ("echonet_pediatric", "A4C/FileList.csv:FileName,EF"),
        ("tmed2", "labels_per_image.csv:query_key,view_label,diagnosis_label"),
        ("echoclr_study", "train.csv:fpath,acc_num,av_stenosis"),
    ],
)
def test_tables_that_list_nothing_are_refused(name: str, header: str, tmp_path: Path) -> None:
    table, _, line = header.partition(":")
    (tmp_path / table).parent.mkdir(exist_ok=True)
    (tmp_path / table).write_text(line + "\n")
    with pytest.raises(ApicalError, match="lists nothing"):
        list(source(name).scan(tmp_path))


@pytest.mark.parametrize("is_dirty", [False, True])
@pytest.mark.parametrize("name", LABELLED)
def test_scans_of_synthetic_data_keep_the_contract(
    name: str, is_dirty: bool, phantom_folder: Callable[..., Path]
) -> None:
    folder = phantom_folder(name, **(DIRTY if is_dirty else CLEAN))
    piece = source(name)
    records = list(piece.scan(folder))

    assert records == list(piece.scan(folder)), "a scan is the same each time"
    assert len({record.clip.casefold() for record in records}) == len(records)
    for record in records:
        assert set(record.clip) <= SAFE
        assert record.patient
        assert record.study
        assert record.echo_view in get_args(EchoView)
        assert record.split in get_args(Split)
        assert set(record.labels) <= set(piece.labels)
        assert not any(path.is_absolute() for path in record.files)
        assert all((folder / path).is_file() for path in record.files)
        assert record.files or any(fault.level == "clip" for fault in record.faults)


@pytest.mark.parametrize("name", LABELLED)
def test_clean_synthetic_data_have_no_fault(name: str, phantom_folder: Callable[..., Path]) -> None:
    records = source(name).scan(phantom_folder(name, **CLEAN))
    assert not [fault for record in records for fault in record.faults if fault.level != "note"]


@pytest.mark.parametrize("name", LABELLED)
def test_no_text_of_a_table_is_repeated(name: str, phantom_folder: Callable[..., Path]) -> None:
    records = source(name).scan(phantom_folder(name, **DIRTY))
    assert not [record for record in records if "Fabricate" in str((record.faults, record.labels))]
