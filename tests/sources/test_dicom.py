from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from tests.sources.conftest import Scan, reasons

SHIPPED = (
    "examples_ybr_color.dcm", "examples_palette.dcm", "examples_rgb_color.dcm", "examples_jpeg2k.dcm",
    "ExplVR_BigEnd.dcm",
)  # fmt: skip


def save(path: Path, **elements: object) -> None:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = UltrasoundMultiFrameImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid(
        entropy_srcs=[str(path)]
    )
    header.Modality = "US"
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)


def view_code(value: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "see Dr Fabricate"
    return Sequence([item])


def test_patients_and_studies_are_told_by_their_ids(tmp_path: Path, scan: Scan) -> None:
    save(
        tmp_path / "a/1.dcm",
        PatientID="MRN 1",
        PatientName="Doe^Jane",
        StudyInstanceUID="1.2.3",
        NumberOfFrames=30,
    )
    save(tmp_path / "a/2.dcm", PatientName="Doe^Jane", StudyInstanceUID="1.2.3")
    save(tmp_path / "b/deep/3.dcm")
    save(tmp_path / "4.dcm", PatientID=" ")

    records = scan("dicom")

    assert {name: (record.patient, record.study) for name, record in records.items()} == {
        "4.dcm": ("4", "4"),
        "a_1.dcm": ("MRN 1", "1.2.3"),
        "a_2.dcm": ("Doe^Jane", "1.2.3"),
        "b_deep_3.dcm": ("b", "b_deep"),
    }
    assert [record.is_cine for record in records.values()] == [False, True, False, False]
    assert not any(record.faults for record in records.values())


def test_names_without_endings_old_files_and_unique_ids_are_found(tmp_path: Path, scan: Scan) -> None:
    save(tmp_path / "IM0001")
    save(tmp_path / "1.2.840.113619.2.5")
    save(tmp_path / "old.dcm", PatientID="7")
    (tmp_path / "old.dcm").write_bytes((tmp_path / "old.dcm").read_bytes()[132:])
    save(tmp_path / "report.bin")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "viewer.exe").write_bytes(b"MZ" * 100)
    (tmp_path / ".DS_Store").touch()

    records = scan("dicom")

    assert sorted(records) == ["1.2.840.113619.2.5", "IM0001", "old.dcm", "report.bin"]
    assert records["old.dcm"].patient == "7"
    assert not any(record.faults for record in records.values())


def test_what_is_no_ultrasound_or_no_dicom_is_excluded(tmp_path: Path, scan: Scan) -> None:
    save(tmp_path / "ct.dcm", Modality="CT")
    (tmp_path / "noise.dcm").write_bytes(np.random.default_rng(0).bytes(4000))
    (tmp_path / "noise").write_bytes(b"a" * 4000)
    (tmp_path / "empty.dcm").touch()

    records = scan("dicom")

    assert reasons(records["ct.dcm"], "clip") == ["the header does not say that this is ultrasound"]
    assert reasons(records["noise"], "clip") == ["has neither the mark of DICOM nor its ending"]
    assert all(len(reasons(record, "clip")) == 1 for record in records.values())
    assert len(records) == 4


@pytest.mark.parametrize(
    ("code", "echo_view"),
    [
        ("399214001", "a4c"),
        ("G-A19B", "a2c"),
        ("399139001", "plax"),
        ("399271003", "psax"),
        ("399339008", "other"),
    ],
)
def test_echo_view_comes_from_its_code(tmp_path: Path, scan: Scan, code: str, echo_view: str) -> None:
    save(tmp_path / "1.dcm", ViewCodeSequence=view_code(code), ViewName="PLAX")
    assert scan("dicom")["1.dcm"].echo_view == echo_view


@pytest.mark.parametrize(
    ("word", "echo_view"),
    [("A4C", "a4c"), ("Apical 4-Chamber", "a4c"), ("plax.", "plax"), ("Jane Doe", "unknown")],
)
@pytest.mark.parametrize("keyword", ["ViewName", "SeriesDescription"])
def test_echo_view_comes_from_a_word_of_a_closed_vocabulary(
    tmp_path: Path, scan: Scan, keyword: str, word: str, echo_view: str
) -> None:
    save(tmp_path / "1.dcm", **{keyword: word})
    assert scan("dicom")["1.dcm"].echo_view == echo_view


def test_the_files_that_pydicom_ships_are_ultrasound(tmp_path: Path, scan: Scan) -> None:
    for name in SHIPPED:
        path = get_testdata_file(name, download=False)
        assert isinstance(path, str)
        (tmp_path / name).write_bytes(Path(path).read_bytes())
    records = scan("dicom")
    assert sorted(records) == sorted(SHIPPED)
    assert not any(record.faults for record in records.values())
    assert records["examples_ybr_color.dcm"].is_cine


@pytest.mark.parametrize("seed", range(3))
def test_mutated_headers_end_in_records(tmp_path: Path, scan: Scan, seed: int) -> None:
    save(tmp_path / "seed.dcm", PatientID="1", NumberOfFrames=3, ViewCodeSequence=view_code("399214001"))
    content = (tmp_path / "seed.dcm").read_bytes()
    generator = np.random.default_rng(seed)
    for number in range(100):
        mutated = bytearray(content[: generator.integers(140, len(content) + 1)])
        for place in generator.integers(132, len(mutated), size=8):
            mutated[place] = generator.integers(256)
        (tmp_path / f"{number:03d}.dcm").write_bytes(mutated)
    assert len(scan("dicom")) == 101


def test_a_link_that_leads_nowhere_is_a_record_with_its_reason(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "lost.dcm").symlink_to("nowhere")
    (tmp_path / "lost.bin").symlink_to("nowhere")
    save(tmp_path / "there.dcm")

    records = scan("dicom")

    assert sorted(records) == ["lost.dcm", "there.dcm"]
    assert reasons(records["lost.dcm"], "clip") == ["The file is not there"]
