from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from apical.errors import ApicalError
from apical.sources._tables import Table

PLAIN = "FileName,EF,Split\nfirst,61.5,TRAIN\nsecond,40,TEST\n"


def read(path: Path, content: bytes) -> list[tuple[str, float | None, str]]:
    path.write_bytes(content)
    rows = Table(path, ("FileName", "EF"), ("Split",)).rows()
    return [(row.text("FileName"), row.number("EF"), row.text("Split")) for row in rows]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("FileName,EF", "filename,ef"),
        PLAIN.replace("FileName", "FILE NAME "),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", ";").replace("61.5", "61,5"),
        PLAIN.replace(",", "\t"),
        "\ufeff" + PLAIN,
        "\n  \n" + PLAIN + "\n\n",
        ",FileName,EF,Split\n0,first,61.5,TRAIN\n1,second,40,TEST\n",
        "Split,Unnamed: 0,EF,FileName\nTRAIN,0,61.5,first\nTEST,1,40,second\n",
        '"FileName","EF","Split"\n"first","61.5","TRAIN"\n"second","40","TEST"\n',
    ],
)
def test_dialects_give_the_same_rows(tmp_path: Path, content: str) -> None:
    assert read(tmp_path / "list.csv", content.encode()) == [
        ("first", 61.5, "TRAIN"),
        ("second", 40.0, "TEST"),
    ]


def test_compressed_tables_are_read(tmp_path: Path) -> None:
    assert len(read(tmp_path / "list.csv.gz", gzip.compress(PLAIN.encode()))) == 2


def test_utf16_and_latin_1_are_read(tmp_path: Path) -> None:
    assert len(read(tmp_path / "list.csv", PLAIN.encode("utf-16"))) == 2
    assert (
        read(tmp_path / "list.csv", "FileName,EF\nm\u00fcller,3\n".encode("latin-1"))[0][0] == "m\u00fcller"
    )


def test_columns_that_are_optional_may_be_absent(tmp_path: Path) -> None:
    assert read(tmp_path / "list.csv", b"FileName,EF\na,1\n") == [("a", 1.0, "")]


def test_missing_columns_are_named_with_those_that_come_close(tmp_path: Path) -> None:
    with pytest.raises(ApicalError) as caught:
        read(tmp_path / "list.csv", b"Filenames,John Doe,Split\n")
    message = str(caught.value)
    assert "lacks the columns FileName, EF" in message
    assert "list.csv" in message
    assert "Filenames" in message
    assert "John Doe" not in message


@pytest.mark.parametrize("content", [b"", b"\n\n", b";;;\n"])
def test_an_empty_table_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ApicalError):
        read(tmp_path / "list.csv", content)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(PLAIN.encode(), mtime=0)[:30]])
def test_a_broken_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ApicalError, match=r"can't be read"):
        read(tmp_path / "list.csv.gz", content)


@pytest.mark.parametrize("cell", ["see Dr Fabricate's letter", "1.2.3", "inf", "1e999", "12 ml"])
def test_what_is_no_number_becomes_unknown_and_is_not_repeated(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"FileName,EF\na,{cell}\n")
    (row,) = Table(path, ("FileName", "EF")).rows()
    assert row.number("EF") is None
    assert [fault.level for fault in row.faults] == ["label"]
    assert cell not in row.faults[0].reason


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN", "N/A", "None", "-"])
def test_a_missing_value_is_no_fault(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"FileName,EF\na,{cell}\n")
    (row,) = Table(path, ("FileName", "EF")).rows()
    assert row.number("EF") is None
    assert not row.faults


@pytest.mark.parametrize("line", ["a,1,2,3,4", "a"])
def test_cells_that_were_shifted_or_cut_off_are_unknown(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"FileName,EF,ESV\n{line}\n")
    (row,) = Table(path, ("FileName", "EF", "ESV")).rows()
    assert row.text("FileName") == "a"
    assert row.number("EF") is None
    assert row.number("ESV") is None
    assert len(row.faults) == 2


def test_a_number_out_of_range_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("FileName,EF\na,250\n")
    (row,) = Table(path, ("FileName", "EF")).rows()
    assert row.number("EF", low=0, high=100) is None
    assert row.faults[0].reason == "EF is outside 0 to 100"
