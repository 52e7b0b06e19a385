from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from apical.sources.base import MaskFile
from apical.sources.camus import Camus
from tests.sources.conftest import Scan, Touch, Write, reasons

STRUCTURES = {"lv": (1,), "myo": (2,), "la": (3,)}
STILLS = ("ED", "ED_gt", "ES", "ES_gt")
NEW_CFG = [
    "ED: 1",
    "ES: 3",
    "NbFrame: 3",
    "Sex: F",
    "Age: 56",
    "ImageQuality: Good",
    "EF: 53",
    "FrameRate: 48.5",
]
OLD_CFG = ["ED: 2", "ES: 14", "NbFrame: 20", "Sex: M", "Age: 61", "ImageQuality: Poor"]
OLD_VOLUMES = ["LVedv: 94.6", "LVesv: 41.0", "LVef: 56.7"]


def images(place: str, chambers: str, kinds: tuple[str, ...], ending: str = "nii.gz") -> list[str]:
    patient = place.rpartition("/")[2]
    return [f"{place}/{patient}_{chambers}_{kind}.{ending}" for kind in kinds]


@pytest.mark.parametrize("root", ["", "CAMUS_public/"])
def test_stills_alone_make_a_clip_of_two_frames(write: Write, touch: Touch, scan: Scan, root: str) -> None:
    place = f"{root}database_nifti/patient0001"
    touch(*images(place, "4CH", STILLS))
    write(f"{root}database_split/subgroup_training.txt", ["patient0001"])

    record = scan("camus")["patient0001_4CH"]

    ed, ed_gt, es, es_gt = map(Path, images(place, "4CH", STILLS))
    assert record.files == (ed, es)
    assert (record.is_cine, record.echo_view, record.split, record.stated_frames) == (
        False,
        "a4c",
        "train",
        2,
    )
    assert record.traces == (
        MaskFile(frame=0, path=ed_gt, index=0, structures=STRUCTURES, phase="ed"),
        MaskFile(frame=1, path=es_gt, index=0, structures=STRUCTURES, phase="es"),
    )
    assert not record.faults


def test_half_sequence_is_the_clip_and_every_frame_is_traced(write: Write, touch: Touch, scan: Scan) -> None:
    place = "database_nifti/patient0001"
    touch(*images(place, "2CH", (*STILLS, "half_sequence", "half_sequence_gt")))
    write(f"{place}/Info_2CH.cfg", NEW_CFG)

    record = scan("camus")["patient0001_2CH"]

    sequence, masks = map(Path, images(place, "2CH", ("half_sequence", "half_sequence_gt")))
    assert record.files == (sequence,)
    assert (record.is_cine, record.echo_view, record.fps_hz, record.stated_frames) == (True, "a2c", 48.5, 3)
    assert [trace.frame for trace in record.traces] == [0, 1, 2]
    assert [trace.phase for trace in record.traces] == ["ed", None, "es"]
    assert {trace.path for trace in record.traces if isinstance(trace, MaskFile)} == {masks}
    assert record.labels["ef_percent"] == 53.0
    assert (record.labels["image_quality"], record.labels["sex"], record.labels["age_years"]) == (
        "good",
        "female",
        56,
    )


def test_old_layout_puts_the_masks_of_the_stills_into_the_sequence(
    write: Write, touch: Touch, scan: Scan
) -> None:
    touch(*images("training/patient0001", "4CH", (*STILLS, "sequence"), "mhd"))
    write("training/patient0001/Info_4CH.cfg", [*OLD_CFG, *OLD_VOLUMES])
    touch(*images("testing/patient0002", "4CH", ("ED", "ES", "sequence"), "mhd"))
    write("testing/patient0002/Info_4CH.cfg", OLD_CFG)

    records = scan("camus")

    train, test = records["patient0001_4CH"], records["patient0002_4CH"]
    assert (train.split, test.split) == ("train", "test")
    assert [(trace.frame, trace.phase) for trace in train.traces] == [(1, "ed"), (13, "es")]
    assert (train.labels["ef_percent"], train.labels["edv_ml"], train.labels["esv_ml"]) == (56.7, 94.6, 41.0)
    assert train.files == (Path("training/patient0001/patient0001_4CH_sequence.mhd"),)
    assert not test.traces
    assert not train.faults
    assert not test.faults


def test_a_sequence_that_no_cfg_explains_gives_way_to_the_stills(touch: Touch, scan: Scan) -> None:
    touch(*images("database_nifti/patient0001", "4CH", (*STILLS, "half_sequence", "half_sequence_gt")))
    record = scan("camus")["patient0001_4CH"]
    assert not record.is_cine
    assert len(record.traces) == 2
    assert len(reasons(record, "note")) == 1


def test_a_sequence_alone_is_a_clip_without_traces(touch: Touch, scan: Scan) -> None:
    touch(*images("database_nifti/patient0001", "4CH", ("half_sequence",)))
    record = scan("camus")["patient0001_4CH"]
    assert record.is_cine
    assert reasons(record, "trace") == ["no frame of the sequence has a mask"]


@pytest.mark.parametrize(
    ("line", "level", "reason"),
    [
        ("ES: 4", "trace", "ES: the traced frame is past the clip's end"),
        ("ED: 0", "trace", "ED: the traced frame is before the first"),
        ("EF: see Dr Fabricate", "label", "EF is not a number"),
        ("Sex: see Dr Fabricate", "label", "Sex is not a word that is known there"),
    ],
)
def test_nonsense_in_a_cfg_costs_what_it_says(
    write: Write, touch: Touch, scan: Scan, line: str, level: str, reason: str
) -> None:
    key = line.partition(":")[0]
    touch(*images("database_nifti/patient0001", "4CH", (*STILLS, "half_sequence", "half_sequence_gt")))
    cfg = [line if each.startswith(f"{key}:") else each for each in NEW_CFG]
    write("database_nifti/patient0001/Info_4CH.cfg", cfg)
    record = scan("camus")["patient0001_4CH"]
    assert reasons(record, level) == [reason]
    assert len(record.traces) >= 2


def test_a_cfg_that_cannot_be_opened_is_told(tmp_path: Path, touch: Touch, scan: Scan) -> None:
    touch(*images("database_nifti/patient0007", "4CH", STILLS))
    (tmp_path / "database_nifti/patient0007/Info_4CH.cfg").symlink_to("nowhere")

    (record,) = scan("camus").values()

    assert len(record.files) == 2
    assert reasons(record, "label") == ["the cfg file can't be read"]


def test_missing_patients_stills_and_masks_are_told(write: Write, touch: Touch, scan: Scan) -> None:
    touch(*images("database_nifti/patient0001", "4CH", ("ED", "ED_gt", "ES")))
    touch(*images("database_nifti/patient0002", "4CH", ("ES", "ES_gt")))
    touch("database_nifti/patient0003/readme.txt")
    touch(*images("database_nifti/patient0009", "4CH", STILLS))
    write(
        "database_split/subgroup_training.txt",
        ["patient0001", "patient0002", "patient0003", "", "patient0004"],
    )

    records = scan("camus")

    assert reasons(records["patient0001_4CH"], "trace") == ["there is no ES mask"]
    assert reasons(records["patient0002_4CH"], "trace") == ["there is no ED image"]
    assert records["patient0002_4CH"].traces[0].frame == 0
    assert reasons(records["patient0003"], "clip") == ["the folder holds no image"]
    absent = "listed in subgroup_training.txt, but there is no folder of that name"
    assert reasons(records["patient0004"], "clip") == [absent]
    assert records["patient0009_4CH"].split == "none"
    assert reasons(records["patient0009_4CH"], "note") == ["on no split list"]


def test_a_patient_on_two_lists_stands_in_both_splits(write: Write, touch: Touch, scan: Scan) -> None:
    touch(*images("database_nifti/patient0001", "4CH", STILLS))
    write("database_split/subgroup_training.txt", ["patient0001"])
    write("database_split/subgroup_testing.txt", ["patient0001"])
    records = scan("camus").values()
    assert [(record.split, len(record.files)) for record in records] == [("train", 2), ("test", 0)]


def test_the_real_copy_has_all_its_patients(real_camus: Path) -> None:
    records = list(Camus().scan(real_camus))

    assert len(records) == 450
    present = [record for record in records if record.files]
    assert Counter(record.split for record in present) == {"train": 399, "val": 50}
    assert {(len(record.files), len(record.traces), record.echo_view) for record in present} == {
        (2, 2, "a4c")
    }
    (absent,) = (record for record in records if record.faults)
    assert absent.patient == "patient0039"
    assert reasons(absent, "clip") == ["listed in subgroup_training.txt, but there is no folder of that name"]
    masks = [trace.path for record in present for trace in record.traces if isinstance(trace, MaskFile)]
    images_there = [path for record in present for path in record.files]
    assert all((real_camus / path).is_file() for path in (*masks, *images_there))
