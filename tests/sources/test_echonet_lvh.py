from __future__ import annotations

from pathlib import Path

import pytest

from apical.sources.echonet_lvh import is_hypertrophic, lv_mass_g
from tests.sources.conftest import Scan, Touch, Write, reasons

HEADER = ",HashedFileName,Calc,CalcValue,Frame,X1,X2,Y1,Y2,Frames,FPS,Width,Height,split"
NAME = "0X7D5E3A"


def caliper(
    calc: str, cm: object, pixels: float = 0, split: str = "train", frame: int = 4, name: str = NAME
) -> str:
    return f"0,{name},{calc},{cm},{frame},100,{100 + 0.6 * pixels},200,{200 + 0.8 * pixels},40,30,640,480,{split}"


HEART = [
    caliper("IVSd", 1.3, 26),
    caliper("LVIDd", 4.5, 90),
    caliper("LVPWd", 1.1, 22),
    caliper("LVIDs", 3.0, 60),
]


def test_calipers_become_lengths_mass_hypertrophy_and_spacing(write: Write, touch: Touch, scan: Scan) -> None:
    write("MeasurementsList.csv", [HEADER, *HEART, caliper("ESV", 44)])
    touch(f"Batch3/{NAME}.avi")

    record = scan("echonet_lvh")[NAME]

    assert record.files == (Path(f"Batch3/{NAME}.avi"),)
    assert (record.split, record.echo_view, record.fps_hz, record.stated_frames) == (
        "train",
        "plax",
        30.0,
        40,
    )
    assert record.labels == {
        "ivs_cm": 1.3,
        "lvid_cm": 4.5,
        "lvpw_cm": 1.1,
        "lvid_systole_cm": 3.0,
        "lv_mass_g": pytest.approx(0.8 * 1.04 * (6.9**3 - 4.5**3) + 0.6),
        "lvh": 1.0,
    }
    assert record.spacing_mm == pytest.approx((0.5, 0.5))
    assert not record.faults


def test_a_length_that_is_measured_twice_is_averaged(write: Write, touch: Touch, scan: Scan) -> None:
    write("MeasurementsList.csv", [HEADER, caliper("IVSd", 1.0, 20), caliper("IVSd", 1.1, 22)])
    touch(f"Batch1/{NAME}.avi")

    record = scan("echonet_lvh")[NAME]

    assert record.labels["ivs_cm"] == pytest.approx(1.05)
    assert record.labels["lv_mass_g"] is None
    assert record.labels["lvh"] is None
    assert not record.faults


def test_calipers_that_disagree_give_no_spacing(write: Write, touch: Touch, scan: Scan) -> None:
    write("MeasurementsList.csv", [HEADER, caliper("IVSd", 1.0, 20), caliper("LVIDd", 4.5, 30)])
    touch(f"Batch1/{NAME}.avi")

    record = scan("echonet_lvh")[NAME]

    assert record.spacing_mm is None
    assert reasons(record, "note") == ["the calipers do not agree on a pixel spacing"]


def test_text_and_frames_past_the_end_are_faults_and_no_more(write: Write, touch: Touch, scan: Scan) -> None:
    write("MeasurementsList.csv", [HEADER, caliper("IVSd", "one"), caliper("LVIDd", 4.5, 90, frame=40)])
    touch(f"Batch1/{NAME}.avi")

    record = scan("echonet_lvh")[NAME]

    assert (record.labels["ivs_cm"], record.labels["lvid_cm"]) == (None, 4.5)
    assert reasons(record, "label") == ["CalcValue is not a number"]
    assert reasons(record, "trace") == ["the traced frame is past the clip's end"]


def test_a_frame_number_that_no_table_can_hold_is_told_without_it(
    write: Write, touch: Touch, scan: Scan
) -> None:
    write("MeasurementsList.csv", [HEADER, caliper("IVSd", 1.3, 26, frame=2**63)])
    touch(f"Batch1/{NAME}.avi")

    (fault,) = scan("echonet_lvh")[NAME].faults

    assert (fault.reason, fault.frame) == ("the traced frame is past the clip's end", None)


def test_the_older_split_counts_where_it_is_present(write: Write, touch: Touch, scan: Scan) -> None:
    write("MeasurementsList.csv", [HEADER, *HEART, caliper("IVSd", 1, name="0XNEW")])
    write("hashed_index_old_split.csv", [",HashedFileName,split", f"0,{NAME},test", "1,0XOLD,val"])
    touch(f"Batch1/{NAME}.avi", "Batch2/0XNEW.avi", "Batch4/0XOLD.avi", "Batch4/0XNOBODY.avi")

    records = scan("echonet_lvh")

    splits = {name: record.split for name, record in records.items()}
    assert splits == {NAME: "test", "0XNEW": "train", "0XOLD": "val", "0XNOBODY": "none"}
    assert [name for name, record in records.items() if reasons(record, "clip")] == ["0XNOBODY"]
    assert records["0XOLD"].labels["ivs_cm"] is None


def test_a_clip_in_two_splits_stands_in_both(write: Write, touch: Touch, scan: Scan) -> None:
    write("MeasurementsList.csv", [HEADER, *HEART, caliper("IVSd", 1.3, 26, split="val")])
    touch(f"Batch1/{NAME}.avi")
    records = list(scan("echonet_lvh").values())
    assert [(record.patient, record.split, len(record.files)) for record in records] == [
        (NAME, "train", 1),
        (NAME, "val", 0),
    ]


def test_two_files_of_one_name_are_both_accounted_for(write: Write, touch: Touch, scan: Scan) -> None:
    write("MeasurementsList.csv", [HEADER, *HEART])
    touch(f"Batch1/{NAME}.avi", f"Batch2/{NAME}.avi")

    first, second = scan("echonet_lvh").values()

    assert first.files == (Path(f"Batch1/{NAME}.avi"),)
    assert second.files == (Path(f"Batch2/{NAME}.avi"),)
    assert second.split == "train"
    assert reasons(second, "clip") == ["another file has the same name, and that one is used"]


@pytest.mark.parametrize(
    ("ivs_cm", "lvpw_cm", "expected"),
    [(1.2, None, True), (None, 1.3, True), (1.1, 1.1, False), (1.1, None, None), (None, None, None)],
)
def test_hypertrophy_needs_one_thick_wall_or_two_thin_ones(
    ivs_cm: float | None, lvpw_cm: float | None, expected: bool | None
) -> None:
    assert is_hypertrophic(ivs_cm, lvpw_cm) is expected


def test_mass_of_a_normal_heart_is_plausible() -> None:
    assert lv_mass_g(0.9, 4.7, 0.9) == pytest.approx(142.7, abs=0.05)
