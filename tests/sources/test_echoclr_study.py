from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.conftest import Scan, Touch, Write, reasons

HEADER = "plax_prob,fpath,acc_num,av_stenosis,video_num"


def row(path: str, study: str = "E1", word: str = "Severe", plax: str = "0.9") -> str:
    return f"{plax},{path},{study},{word},1"


def test_videos_of_a_study_share_its_labels(write: Write, touch: Touch, scan: Scan) -> None:
    write("train.csv", [HEADER, row("videos/E1/E1_1.avi"), row("videos/E1/E1_2.avi")])
    write("echo_labels.csv", ["Accession Number,LVH_LVMi", "E1,Hypertrophy", "E7,Normal", "E8,"])
    touch("videos/E1/E1_1.avi", "videos/E1/E1_2.avi")

    records = scan("echoclr_study")

    assert list(records) == ["E1_1", "E1_2"]
    for record in records.values():
        assert (record.patient, record.study, record.split, record.echo_view) == ("E1", "E1", "train", "plax")
        assert record.labels == {
            "as_severe": 1.0, "as_grade": "severe", "lvh": 1.0, "is_external": 0.0, "plax_probability": 0.9,
        }  # fmt: skip
        assert not record.faults
    assert records["E1_2"].files == (Path("videos/E1/E1_2.avi"),)


@pytest.mark.parametrize(
    ("word", "is_severe", "grade"),
    [
        ("Mild-Moderate", 0.0, "mild_to_moderate"),
        ("None", 0.0, "none"),
        ("Moderate-Severe", 0.0, None),
        ("severe", 1.0, "severe"),
        ("", None, None),
    ],
)
def test_words_of_stenosis(
    write: Write, touch: Touch, scan: Scan, word: str, is_severe: float | None, grade: str | None
) -> None:
    write("val.csv", [HEADER, row("a.avi", word=word)])
    touch("videos/a.avi")
    record = scan("echoclr_study")["a"]
    assert (record.split, record.labels["as_severe"], record.labels["as_grade"]) == ("val", is_severe, grade)
    assert not record.faults


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("video_num,av_stenosis,acc_num,fpath", "1,Severe,E1,videos/E1/a.avi"),
        (",Accession Number,Path,AS", "0,E1,/data/of/others/videos/E1/a.avi,Severe"),
        ("study_id;file_name;aortic_stenosis", "E1;a;Severe"),
        (HEADER, row("C:\\data\\videos\\E1\\a.avi")),
    ],
)
def test_order_names_and_paths_may_vary(
    write: Write, touch: Touch, scan: Scan, header: str, line: str
) -> None:
    write("test.csv", [header, line])
    touch("videos/E1/a.avi")
    record = scan("echoclr_study")["a"]
    assert record.files == (Path("videos/E1/a.avi"),)
    assert (record.study, record.labels["as_severe"], record.split) == ("E1", 1.0, "test")


def test_videos_of_one_name_are_told_apart_by_their_folders(write: Write, touch: Touch, scan: Scan) -> None:
    write("train.csv", [HEADER, row("x/E1/a.avi", "E1"), row("x/E2/a.avi", "E2")])
    touch("videos/E1/a.avi", "videos/E2/a.avi")
    records = scan("echoclr_study")
    assert {record.study: record.files[0].parent.name for record in records.values()} == {
        "E1": "E1",
        "E2": "E2",
    }


def test_external_test_is_test_and_marked(write: Write, touch: Touch, scan: Scan) -> None:
    write("ext_test.csv", [HEADER, row("a.avi")])
    touch("videos/a.avi")
    record = scan("echoclr_study")["a"]
    assert (record.split, record.labels["is_external"]) == ("test", 1.0)


def test_strangers_absentees_and_text_are_told(write: Write, touch: Touch, scan: Scan) -> None:
    write("val.csv", [HEADER, row("videos/E1/E1_1.avi"), row("videos/E1/E1_2.avi", plax="see Dr Fabricate")])
    write("train.csv", [HEADER, row("videos/E1/E1_1.avi")])
    touch("videos/E1/E1_2.avi", "videos/E1/E1_3.avi", "videos/E9_1.avi")

    records = scan("echoclr_study")

    assert [(record.split, record.study) for record in records.values()] == [
        ("train", "E1"), ("val", "E1"), ("val", "E1"), ("train", "E1"), ("none", "E9_1"),
    ]  # fmt: skip
    assert list(records) == ["E1_1", "E1_1-2", "E1_2", "E1_3", "E9_1"]
    assert reasons(records["E1_1"], "clip") == ["listed in a table of a split, but there is no such file"]
    assert reasons(records["E1_2"], "label") == ["plax_prob is not a number"]
    assert reasons(records["E1_3"], "clip") == ["on disk, but not listed in a table of a split"]
