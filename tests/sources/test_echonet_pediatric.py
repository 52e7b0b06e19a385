from __future__ import annotations

from pathlib import Path

import pytest

from apical.sources.base import Contour
from tests.sources.conftest import Scan, Touch, Write, reasons

HEADER = "FileName,EF,Sex,Age,Weight,Height,Split"
NAME = "CR32a7555-CR32a7582-000039"
POINTS = [(40, 20), (30, 40), (35, 60), (55, 60), (60, 40), (50, 20)]


def row(name: str, fold: object, ef: object = 60.9) -> str:
    return f"{name}.avi,{ef},F,7,25.1,120.5,{fold}"


def traced(name: str, frame: object) -> list[str]:
    return [f"{name}.avi,{x},{y},{frame}" for x, y in POINTS]


@pytest.mark.parametrize("root", ["", "pediatric_echo_avi/", "pediatric_echo_avi/pediatric_echo_avi/"])
def test_each_nesting_depth_is_found(write: Write, touch: Touch, scan: Scan, root: str) -> None:
    write(f"{root}A4C/FileList.csv", [HEADER, row(NAME, 3)])
    write(f"{root}A4C/VolumeTracings.csv", ["FileName,X,Y,Frame", *traced(NAME, 46), *traced(NAME, 61)])
    touch(f"{root}A4C/Videos/{NAME}.avi")

    record = scan("echonet_pediatric")[NAME]

    assert record.files == (Path(f"{root}A4C/Videos/{NAME}.avi"),)
    assert (record.patient, record.study) == ("CR32a7555", "CR32a7555-CR32a7582")
    assert (record.split, record.echo_view) == ("train", "a4c")
    assert record.labels == {
        "ef_percent": 60.9, "sex": "female", "age_years": 7.0, "weight_kg": 25.1, "height_cm": 120.5,
    }  # fmt: skip
    assert record.traces == tuple(
        Contour(frame=frame, structure="lv", points=tuple(POINTS)) for frame in (46, 61)
    )
    assert not record.faults


@pytest.mark.parametrize(
    ("fold", "split"),
    [(0, "train"), (7, "train"), (8, "val"), (9, "test"), ("8.0", "val"), ("TEST", "test"), ("", "none")],
)
def test_folds_become_splits(write: Write, touch: Touch, scan: Scan, fold: object, split: str) -> None:
    write("PSAX/FileList.csv", [HEADER, row(NAME, fold)])
    touch(f"PSAX/Videos/{NAME}.avi")
    record = scan("echonet_pediatric")[NAME]
    assert (record.split, record.echo_view) == (split, "psax")


def test_a_phase_without_a_tracing_is_noted(write: Write, touch: Touch, scan: Scan) -> None:
    write("A4C/FileList.csv", [HEADER, row(NAME, 0)])
    write("A4C/VolumeTracings.csv", ["FileName,X,Y,Frame", *traced(NAME, "No Systolic"), *traced(NAME, 61)])
    touch(f"A4C/Videos/{NAME}.avi")

    record = scan("echonet_pediatric")[NAME]

    assert [trace.frame for trace in record.traces] == [61]
    assert [fault.level for fault in record.faults] == ["note"]
    assert reasons(record, "note") == ["no systolic frame is traced"]


def test_a_frame_number_that_no_table_can_hold_is_told_without_it(
    write: Write, touch: Touch, scan: Scan
) -> None:
    write("A4C/FileList.csv", [HEADER, row(NAME, 0)])
    write("A4C/VolumeTracings.csv", ["FileName,X,Y,Frame", *traced(NAME, 2**63), *traced(NAME, -(2**64))])
    touch(f"A4C/Videos/{NAME}.avi")

    record = scan("echonet_pediatric")[NAME]

    assert not record.traces
    assert [fault.frame for fault in record.faults] == [None, None]
    assert reasons(record, "trace") == [
        "the traced frame is past the clip's end",
        "the traced frame is before the first",
    ]


def test_a_name_of_another_form_is_its_own_patient(write: Write, touch: Touch, scan: Scan) -> None:
    write("A4C/FileList.csv", [HEADER, row("clip-7", 0)])
    touch("A4C/Videos/clip-7.avi")
    record = scan("echonet_pediatric")["clip-7"]
    assert (record.patient, record.study) == ("clip-7", "clip-7")


def test_an_unlisted_video_stays_with_its_patient(write: Write, touch: Touch, scan: Scan) -> None:
    write("A4C/FileList.csv", [HEADER, row(NAME, 9)])
    write("PSAX/FileList.csv", [HEADER, row("CR1-CR2-000001", 0)])
    touch(f"A4C/Videos/{NAME}.avi", "PSAX/Videos/CR32a7555-CR9-000001.avi", "PSAX/Videos/CR1-CR2-000001.avi")

    stranger = scan("echonet_pediatric")["CR32a7555-CR9-000001"]

    assert (stranger.patient, stranger.split) == ("CR32a7555", "test")
    assert reasons(stranger, "clip") == ["on disk, but not listed in FileList.csv"]


def test_the_same_name_in_both_echo_views_makes_two_clips(write: Write, touch: Touch, scan: Scan) -> None:
    for echo_view in ("A4C", "PSAX"):
        write(f"{echo_view}/FileList.csv", [HEADER, row("x", 0)])
        touch(f"{echo_view}/Videos/x.avi")
    assert list(scan("echonet_pediatric")) == ["x", "x-2"]
