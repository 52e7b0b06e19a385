from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import polars as pl
import pydicom
import pytest
from PIL import Image
from pydicom.pixels.processing import apply_color_lut

from apical import registry
from apical.phantom.dicom_pixels import STORAGE_KINDS
from apical.phantom.draws import splits_by_patient
from apical.phantom.layouts._camus_old import CamusOld
from apical.phantom.layouts.base import Layout
from apical.phantom.layouts.tmed2 import fold_splits
from apical.phantom.write import write_layout
from apical.readers.mhd import MhdReader
from apical.readers.video import VideoReader

LAYOUTS = registry.names("phantom.layouts")
Folder = Callable[..., Path]


def truth(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "phantom_truth" / "clips.parquet")


@pytest.mark.parametrize("name", LAYOUTS)
def test_plans_depend_on_the_seed_alone_and_name_each_file_once(name: str) -> None:
    layout: Layout = registry.load("phantom.layouts", name)()
    plans = list(layout.plans(12, 4))
    assert plans == list(layout.plans(12, 4))
    assert len({plan.path for plan in plans}) == len(plans)
    assert {plan.index for plan in plans} == set(range(12))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_patient_is_in_one_split(name: str) -> None:
    layout: Layout = registry.load("phantom.layouts", name)()
    splits: dict[str, set[str]] = {}
    for plan in layout.plans(30, 0):
        if plan.split != "none":
            splits.setdefault(plan.patient, set()).add(plan.split)
    assert all(len(names) == 1 for names in splits.values())


def test_few_patients_fill_every_split_and_many_come_near_the_shares() -> None:
    shares = {"train": 0.75, "val": 0.125, "test": 0.125}
    assert sorted(splits_by_patient(shares, 3, 0)) == ["test", "train", "val"]
    many = splits_by_patient(shares, 80, 0)
    assert [many.count(name) for name in shares] == [60, 10, 10]


def test_echonet_dynamic_has_the_columns_of_the_release(phantom_folder: Folder) -> None:
    folder = phantom_folder("echonet_dynamic")
    listed, traced = (pl.read_csv(folder / name) for name in ("FileList.csv", "VolumeTracings.csv"))
    columns = "FileName EF ESV EDV FrameHeight FrameWidth FPS NumberOfFrames Split"
    assert listed.columns == columns.split()
    assert traced.columns == ["FileName", "X1", "Y1", "X2", "Y2", "Frame"]
    assert listed["FileName"].str.contains(r"^0X[0-9A-F]{16}$").all()
    assert traced["FileName"].str.ends_with(".avi").all()
    assert set(listed["Split"]) == {"TRAIN", "VAL", "TEST"}
    assert (traced.group_by("FileName", "Frame").len()["len"] == 21).all()
    assert (traced.group_by("FileName").agg(pl.col("Frame").is_sorted())["Frame"]).all()


def test_videos_hold_what_the_list_says(phantom_folder: Folder) -> None:
    folder = phantom_folder("echonet_dynamic")
    row = pl.read_csv(folder / "FileList.csv").row(0, named=True)
    recording = VideoReader().read(folder / "Videos" / f"{row['FileName']}.avi")
    assert recording.frames.shape == (row["NumberOfFrames"], row["FrameHeight"], row["FrameWidth"])
    assert recording.stated_frames == row["NumberOfFrames"]
    assert recording.fps_hz == row["FPS"]


def test_echonet_lvh_has_a_row_a_caliper_as_long_as_it_says(phantom_folder: Folder) -> None:
    folder = phantom_folder("echonet_lvh")
    rows = pl.read_csv(folder / "MeasurementsList.csv")
    columns = "HashedFileName Calc CalcValue Frame X1 X2 Y1 Y2 Frames FPS Width Height split"
    assert rows.columns[1:] == columns.split()
    assert set(rows["Calc"]) == {"IVSd", "LVIDd", "LVPWd", "LVIDs"}
    assert len(rows) < 4 * rows["HashedFileName"].n_unique()
    spacing = truth(folder).select(pl.col("patient").alias("HashedFileName"), "spacing_mm_x")
    rows = rows.join(spacing, on="HashedFileName")
    pixels = ((rows["X1"] - rows["X2"]) ** 2 + (rows["Y1"] - rows["Y2"]) ** 2).sqrt()
    errors_cm = pixels * rows["spacing_mm_x"] / 10 - rows["CalcValue"]
    assert np.abs(errors_cm.to_numpy()).max() < 0.01


def test_echonet_lvh_lies_in_batches_of_screen_shots(phantom_folder: Folder) -> None:
    clips = truth(phantom_folder("echonet_lvh"))
    assert set(clips["path"].str.slice(0, 7)) == {"Batch1/", "Batch2/", "Batch3/", "Batch4/"}
    assert clips["height"].n_unique() > 1
    assert (clips["fan_left"] > 0).all()


def test_echonet_pediatric_says_in_words_that_systole_was_not_traced(phantom_folder: Folder) -> None:
    folder = phantom_folder("echonet_pediatric", patients=12)
    root = folder / "pediatric_echo_avi" / "pediatric_echo_avi"
    tables = [pl.read_csv(root / name / "VolumeTracings.csv", infer_schema=False) for name in ("A4C", "PSAX")]
    traced = pl.concat(tables)
    words = set(traced.filter(~pl.col("Frame").str.contains(r"^\d+$"))["Frame"])
    assert words == {"No Systolic"}
    untraced = truth(folder).filter(pl.col("quirk") == "no_systole")
    assert len(untraced) > 0
    assert all(frames == [ed] for frames, ed in untraced.select("traced_frames", "ed_frame").iter_rows())


def voxels(path: Path) -> npt.NDArray[np.uint8]:
    image: Any = nibabel.load(path)
    return np.asarray(image.dataobj)


def test_camus_counts_columns_first_and_frames_from_one(phantom_folder: Folder) -> None:
    folder = phantom_folder("camus", patients=2)
    for clip in truth(folder).iter_rows(named=True):
        assert voxels(folder / clip["path"]).shape == (clip["width"], clip["height"], clip["num_frames"])
        labels = voxels(folder / clip["path"].replace(".nii", "_gt.nii"))
        assert set(np.unique(labels)) == {0, 1, 2, 3}
        name = {"a2c": "2CH", "a4c": "4CH"}[clip["echo_view"]]
        lines = (folder / clip["path"]).with_name(f"Info_{name}.cfg").read_text().splitlines()
        facts = dict(line.split(": ") for line in lines)
        assert (int(facts["ED"]), int(facts["ES"])) == (clip["ed_frame"] + 1, clip["es_frame"] + 1)
        assert (labels[..., clip["ed_frame"]] == 1).sum() > (labels[..., clip["es_frame"]] == 1).sum()


def test_the_old_camus_keeps_the_testing_patients_truth_secret(tmp_path: Path) -> None:
    write_layout(CamusOld(), tmp_path / "set", patients=2, processes=1)
    for split, has_truth in {"training": True, "testing": False}.items():
        (patient,) = (tmp_path / "set" / split).iterdir()
        assert bool(list(patient.glob("*_gt.mhd"))) == has_truth
        assert ("LVef" in (patient / "Info_4CH.cfg").read_text()) == has_truth
        (path,) = patient.glob("*_4CH_sequence.mhd")
        clip = truth(tmp_path / "set").row(by_predicate=pl.col("path").str.ends_with(path.name), named=True)
        recording = MhdReader().read(path)
        assert recording.frames.shape == (clip["num_frames"], clip["height"], clip["width"])
        assert recording.spacing_mm == pytest.approx((clip["spacing_mm_y"], clip["spacing_mm_x"]), rel=1e-3)


def test_tmed_subsets_nest_and_every_row_names_a_picture(phantom_folder: Folder) -> None:
    root = phantom_folder("tmed2", patients=12) / "approved_users_only"
    for fold in range(3):
        tables = [
            pl.read_csv(root / size / f"TMED2_fold{fold}_labeledpart.csv")
            for size in ("DEV479", "DEV165", "DEV56")
        ]
        keys = [set(table["query_key"]) for table in tables]
        assert keys[0] > keys[1] >= keys[2]
    for folder, key in tables[0].select("SourceFolder", "query_key").iter_rows():
        with Image.open(root / folder / key) as picture:
            assert (picture.mode, picture.size) == ("L", (112, 112))
    listed = pl.read_csv(root / "labels_per_image.csv")
    assert listed.columns == ["query_key", "view_label", "diagnosis_label", "SourceFolder"]
    assert len(list(root.glob("*/*/*.png"))) > len(listed)


def test_tmed_folds_differ_and_test_only_the_fully_labelled() -> None:
    folds = [fold_splits(60, 0, fold) for fold in range(3)]
    assert folds[0] != folds[1] != folds[2]
    assert all(fold.count("test") == 8 for fold in folds)


def test_echoclr_studies_have_several_videos_and_one_table_a_split(phantom_folder: Folder) -> None:
    folder = phantom_folder("echoclr_study")
    tables = [pl.read_csv(folder / f"{name}.csv") for name in ("train", "val", "test", "ext_test")]
    assert all(
        table.columns == ["plax_prob", "fpath", "acc_num", "av_stenosis", "video_num"] for table in tables
    )
    rows = pl.concat(tables)
    assert all((folder / path).is_file() for path in rows["fpath"])
    assert rows["acc_num"].n_unique() == 8
    assert max(rows.group_by("acc_num").len()["len"].to_list()) > 1
    labels = pl.read_csv(folder / "echo_labels.csv")
    assert labels.columns == ["Accession Number", "LVH_LVMi"]
    assert set(labels["Accession Number"]) == set(rows["acc_num"])


def test_dicom_files_keep_their_pixels_in_every_way_of_storing_them(phantom_folder: Folder) -> None:
    folder = phantom_folder("dicom", patients=4)
    seen = {}
    for path, quirk in truth(folder).select("path", "quirk").iter_rows():
        storage = quirk.split()[0]
        header = pydicom.dcmread(folder / path)
        pixels = header.pixel_array
        if storage == "palette":
            pixels = apply_color_lut(pixels, header) // 257
        seen[storage] = pixels
        assert pixels.shape[:3] == (header.NumberOfFrames, 480, 640)
        middle, edge = pixels[:, 200:300, 300:340], pixels[:, 300:, :100]
        assert middle.mean() > edge.mean() + 10
    assert set(seen) == set(STORAGE_KINDS)


def test_dicom_files_are_full_of_what_must_not_leave_the_hospital(phantom_folder: Folder) -> None:
    folder = phantom_folder("dicom", patients=4)
    paths = [folder / path for path in truth(folder)["path"]]
    assert {path.suffix for path in paths} == {".dcm", ""}
    for path in paths:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        name = str(header.PatientName)
        assert name.replace("^", "_") in str(path)
        assert name in header.PatientComments
        assert name in str(header[0x0009, 0x1001].value)
        assert (0x6000, 0x3000) in header


def test_dicom_regions_have_the_oddities_of_the_wild(phantom_folder: Folder) -> None:
    folder = phantom_folder("dicom", patients=4)
    seen = set()
    for clip in truth(folder).iter_rows(named=True):
        header = pydicom.dcmread(folder / clip["path"], stop_before_pixels=True)
        regions = header.get("SequenceOfUltrasoundRegions", [])
        seen |= {"none"} if not regions else set()
        seen |= {"ecg first"} if len(regions) > 1 and regions[0].RegionDataType != 1 else set()
        for region in (region for region in regions if region.RegionDataType == 1):
            assert abs(region.PhysicalDeltaY) * 10 == pytest.approx(clip["spacing_mm_y"])
            seen |= {"negative"} if region.PhysicalDeltaY < 0 else set()
            seen |= {"too large"} if region.RegionLocationMaxX1 >= header.Columns else set()
    assert seen == {"none", "ecg first", "negative", "too large"}
