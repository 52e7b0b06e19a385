from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.conftest import Scan, Touch, Write, reasons

LABELS = "query_key,view_label,diagnosis_label,SourceFolder"
FOLD = f"{LABELS},view_classifier_split,diagnosis_classifier_split"
BOTH = "view_and_diagnosis_labeled_set/labeled"
BOTH_UNLABELED = "view_and_diagnosis_labeled_set/unlabeled"
ALONE = "unlabeled_set/unlabeled_set"


@pytest.mark.parametrize("root", ["", "approved_users_only/"])
def test_a_still_has_patient_study_view_grade_and_split(
    write: Write, touch: Touch, scan: Scan, root: str
) -> None:
    write(f"{root}labels_per_image.csv", [LABELS, f"3725s1_5.png,PLAX,mildtomod_AS,{BOTH}/"])
    write(
        f"{root}DEV479/TMED2_fold0_labeledpart.csv",
        [FOLD, f"3725s1_5.png,PLAX,mildtomod_AS,{BOTH}/,train,val"],
    )
    touch(f"{root}{BOTH}/3725s1_5.png")

    record = scan("tmed2")["3725s1_5"]

    assert record.files == (Path(f"{root}{BOTH}/3725s1_5.png"),)
    assert (record.patient, record.study) == ("3725", "3725s1")
    assert (record.echo_view, record.split, record.is_cine) == ("plax", "val", False)
    assert record.labels == {"as_grade": "mild_to_moderate"}
    assert not record.faults


@pytest.mark.parametrize(
    ("word", "grade"),
    [
        ("no_AS", "none"),
        ("mild_AS", "mild"),
        ("moderate_AS", "moderate"),
        ("severe_AS", "severe"),
        ("Not_Provided", None),
    ],
)
def test_grades_are_words_of_a_closed_vocabulary(
    write: Write, touch: Touch, scan: Scan, word: str, grade: str | None
) -> None:
    write("labels_per_image.csv", [LABELS, f"1s1_0.png,A4CorA2CorOther,{word},x"])
    touch(f"{BOTH}/1s1_0.png")
    record = scan("tmed2")["1s1_0"]
    assert (record.labels["as_grade"], record.echo_view, record.split) == (grade, "other", "none")
    assert not record.faults


def test_without_a_diagnosis_the_view_classifiers_split_counts(
    write: Write, touch: Touch, scan: Scan
) -> None:
    write("DEV479/TMED2_fold0_labeledpart.csv", [FOLD, "1s1_0.png,PSAX,Not_Provided,x,test,"])
    touch("view_labeled_set/labeled/1s1_0.png")
    assert scan("tmed2")["1s1_0"].split == "test"


def test_unlabelled_stills_stay_with_their_patient(write: Write, touch: Touch, scan: Scan) -> None:
    write("DEV479/TMED2_fold0_labeledpart.csv", [FOLD, f"1s1_0.png,PLAX,no_AS,{BOTH}/,test,test"])
    touch(f"{BOTH}/1s1_0.png", f"{BOTH_UNLABELED}/1s1_7.png", f"{ALONE}/9s1_0.png", f"{BOTH}/1s1_3.png")

    records = scan("tmed2")

    assert {name: record.split for name, record in records.items()} == {
        "1s1_0": "test", "1s1_3": "test", "1s1_7": "test", "9s1_0": "none",
    }  # fmt: skip
    assert [name for name, record in records.items() if record.faults] == ["1s1_3"]
    assert reasons(records["1s1_3"], "label") == [
        "among the labelled images, but not listed in labels_per_image.csv"
    ]


def test_absent_stills_and_unknown_words_are_told(write: Write, touch: Touch, scan: Scan) -> None:
    write("labels_per_image.csv", [LABELS, "1s1_0.png,PLAX,no_AS,x", "1s1_1.png,see Dr Fabricate,no_AS,x"])
    touch(f"{BOTH}/1s1_1.png")
    records = scan("tmed2")
    assert reasons(records["1s1_0"], "clip") == ["listed in labels_per_image.csv, but there is no such file"]
    assert reasons(records["1s1_1"], "label") == ["view_label is not a word that is known there"]
    assert records["1s1_1"].echo_view == "unknown"


def test_tables_that_disagree_cost_the_label(write: Write, touch: Touch, scan: Scan) -> None:
    write("labels_per_image.csv", [LABELS, "1s1_0.png,PLAX,no_AS,x"])
    write("DEV479/TMED2_fold0_labeledpart.csv", [FOLD, "1s1_0.png,PLAX,severe_AS,x,train,train"])
    touch(f"{BOTH}/1s1_0.png")
    record = scan("tmed2")["1s1_0"]
    assert record.labels["as_grade"] is None
    assert reasons(record, "label") == ["as_grade differs between its rows"]
