from __future__ import annotations

from pathlib import Path

import pytest

from apical.errors import ApicalError
from apical.sources.base import Contour
from tests.sources.conftest import Scan, Touch, Write, reasons

HEADER = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"
FIRST, SECOND, THIRD = "0X1002E8FBACD08477", "0X1005D03EED19C65B", "0X100009310A3BD7FC"
TRACES = "FileName,X1,Y1,X2,Y2,Frame"
CHORDS = [(30, 20, 60, 20), (28, 30, 62, 30), (27, 40, 63, 40), (29, 50, 61, 50)]


def row(name: str, split: str = "TRAIN", ef: str = "60.5") -> str:
    return f"{name},{ef},30,80,112,112,50,174,{split}"


def traced(name: str, frame: object, chords: list[tuple[int, int, int, int]] = CHORDS) -> list[str]:
    rows = [(45, 10, 45, 60), *chords]
    return [f"{name}.avi,{x1},{y1},{x2},{y2},{frame}" for x1, y1, x2, y2 in rows]


def test_a_listed_video_comes_with_labels_split_and_outlines(write: Write, touch: Touch, scan: Scan) -> None:
    write("FileList.csv", [HEADER, row(FIRST, "VAL")])
    write("VolumeTracings.csv", [TRACES, *traced(FIRST, 46), *traced(FIRST, 61)])
    touch(f"Videos/{FIRST}.avi")

    record = scan("echonet_dynamic")[FIRST]

    assert record.patient == FIRST
    assert record.files == (Path(f"Videos/{FIRST}.avi"),)
    assert (record.split, record.echo_view, record.fps_hz, record.stated_frames) == ("val", "a4c", 50.0, 174)
    assert record.labels == {"ef_percent": 60.5, "esv_ml": 30.0, "edv_ml": 80.0}
    assert not record.faults
    outline = (
        (30, 20), (28, 30), (27, 40), (29, 50),
        (61, 50), (63, 40), (62, 30), (60, 20),
    )  # fmt: skip
    assert record.traces == tuple(Contour(frame=frame, structure="lv", points=outline) for frame in (46, 61))


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (HEADER, row(f"{FIRST}.avi", "train")),
        (f",{HEADER}", f"0,{row(FIRST)}"),
        (HEADER.lower(), row(f"Videos/{FIRST}.AVI", "Train")),
        (HEADER.replace(",", ";"), row(FIRST).replace(",", ";").replace(".", ",")),
    ],
)
@pytest.mark.parametrize("root", ["", "EchoNet-Dynamic/"])
def test_dialects_of_the_list_mean_the_same(
    write: Write, touch: Touch, scan: Scan, root: str, header: str, line: str
) -> None:
    write(f"{root}FileList.csv", [header, line])
    touch(f"{root}Videos/{FIRST}.avi")

    (record,) = scan("echonet_dynamic").values()

    assert (record.clip, record.split, record.labels["ef_percent"]) == (FIRST, "train", 60.5)
    assert record.files == (Path(f"{root}Videos/{FIRST}.avi"),)
    assert reasons(record, "trace") == ["there is no table of tracings"]


def test_without_a_split_column_nobody_is_in_a_split(write: Write, touch: Touch, scan: Scan) -> None:
    write("FileList.csv", ["FileName,EF,ESV,EDV", f"{FIRST},60,30,80"])
    touch(f"Videos/{FIRST}.avi")
    assert scan("echonet_dynamic")[FIRST].split == "none"


def test_every_absentee_and_stranger_has_a_record(write: Write, touch: Touch, scan: Scan) -> None:
    write("FileList.csv", [HEADER, row(FIRST)])
    write("VolumeTracings.csv", [TRACES, *traced(FIRST, 3), *traced(FIRST, 18), *traced(THIRD, 5)])
    touch(f"Videos/{SECOND}.avi", "Videos/.hidden.avi", "Videos/half.avi.part")

    records = scan("echonet_dynamic")

    assert {name: reasons(record, "clip") for name, record in records.items()} == {
        FIRST: ["listed in FileList.csv, but there is no such file"],
        SECOND: ["on disk, but not listed in FileList.csv"],
        THIRD: ["traced, but neither listed in FileList.csv nor on disk"],
        "half.avi.part": ["on disk, but not listed in FileList.csv"],
    }
    assert not records[FIRST].files


def test_rows_that_differ_cost_the_label_and_show_both_splits(write: Write, touch: Touch, scan: Scan) -> None:
    write("FileList.csv", [HEADER, row(FIRST), row(FIRST, "TEST", ef="10"), row(FIRST)])
    touch(f"Videos/{FIRST}.avi")

    records = list(scan("echonet_dynamic").values())

    assert [(record.patient, record.split) for record in records] == [(FIRST, "train"), (FIRST, "test")]
    assert records[0].labels["ef_percent"] is None
    assert reasons(records[0], "label") == ["ef_percent differs between its rows"]
    assert reasons(records[0], "note") == ["listed more than once in FileList.csv"]
    assert reasons(records[1], "clip")


def test_text_where_a_number_belongs_costs_that_label_only(write: Write, touch: Touch, scan: Scan) -> None:
    write("FileList.csv", [HEADER, row(FIRST, ef="see Dr Fabricate")])
    touch(f"Videos/{FIRST}.avi")

    record = scan("echonet_dynamic")[FIRST]

    assert record.labels == {"ef_percent": None, "esv_ml": 30.0, "edv_ml": 80.0}
    assert reasons(record, "label") == ["EF is not a number"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (traced(FIRST, 174), "the traced frame is past the clip's end"),
        (traced(FIRST, "1e300"), "the traced frame is past the clip's end"),
        (traced(FIRST, -1), "the traced frame is before the first"),
        (traced(FIRST, "ES"), "the traced frame is not a whole number"),
        (traced(FIRST, 5, CHORDS[:2]), "the outline has too few rows"),
        ([*traced(FIRST, 5)[:-1], f"{FIRST}.avi,a,b,c,d,5"], "a coordinate is not a number"),
        ([*traced(FIRST, 5)[:-1], f"{FIRST}.avi,nan,1,2,3,5"], "a coordinate is far outside any image"),
        (traced(FIRST, 5, [*CHORDS[:2], (63, 40, 27, 40), CHORDS[3]]), "the outline crosses itself"),
        ([], "no frame is traced in VolumeTracings.csv"),
    ],
)
def test_a_bad_outline_costs_that_trace_only(
    write: Write, touch: Touch, scan: Scan, lines: list[str], reason: str
) -> None:
    write("FileList.csv", [HEADER, row(FIRST), row(SECOND)])
    good = traced(FIRST, 18) if lines else []
    write("VolumeTracings.csv", [TRACES, *good, *lines, *traced(SECOND, 1), *traced(SECOND, 2)])
    touch(f"Videos/{FIRST}.avi", f"Videos/{SECOND}.avi")

    records = scan("echonet_dynamic")

    assert reasons(records[FIRST], "trace") == [reason]
    assert [trace.frame for trace in records[FIRST].traces] == ([18] if lines else [])
    assert not records[SECOND].faults


def test_an_outline_that_is_listed_twice_counts_once(write: Write, touch: Touch, scan: Scan) -> None:
    write("FileList.csv", [HEADER, row(FIRST)])
    write("VolumeTracings.csv", [TRACES, *traced(FIRST, 3), *traced(FIRST, 3)])
    touch(f"Videos/{FIRST}.avi")

    record = scan("echonet_dynamic")[FIRST]

    (trace,) = record.traces
    assert isinstance(trace, Contour)
    assert len(trace.points) == 2 * len(CHORDS)
    assert reasons(record, "note") == ["only one frame is traced"]


def test_tracings_without_their_columns_are_refused(write: Write, touch: Touch, scan: Scan) -> None:
    write("FileList.csv", [HEADER, row(FIRST)])
    write("VolumeTracings.csv", ["FileName,X,Y,Frame", f"{FIRST},1,2,3"])
    touch(f"Videos/{FIRST}.avi")
    with pytest.raises(ApicalError, match="lacks the columns X1, Y1, X2, Y2"):
        scan("echonet_dynamic")
