"""Small whole files of each kind: nothing comes in, the bytes or lines that mutations start from go out."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UltrasoundMultiFrameImageStorage, generate_uid

from apical.phantom.dicom_pixels import STORAGE_KINDS, write_dicom
from apical.phantom.encode import Pixels, write_avi, write_nifti, write_png
from tests.fuzz.mutations import CANARY

__all__ = ["INFO", "TABLES", "avi", "dicoms", "fan", "nifti", "nifti_labels", "pngs"]

HEIGHT, WIDTH, FRAMES = 48, 64, 6
SPACING_MM = 0.4, 0.3


def fan(frames: int = FRAMES) -> Pixels:
    """A sector of moving grain below an apex, black around it: (T, H, W)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inside = (np.abs(x - WIDTH / 2) < 0.6 * y) & (np.hypot(y, x - WIDTH / 2) < 0.95 * HEIGHT)
    grain = np.random.default_rng(5).integers(40, 220, (frames, HEIGHT, WIDTH))
    return np.asarray(grain * inside, np.uint8)


def avi(folder: Path) -> bytes:
    """A video as EchoNet has them."""
    return _bytes(folder / "a.avi", partial(write_avi, frames=fan(), fps_hz=50.0))


def pngs(folder: Path) -> list[bytes]:
    """A still as the public sets have it, and in the other depths and colours that PNG knows."""
    path, still = folder / "a.png", fan()[0]
    pictures = [Image.fromarray(still).convert(mode) for mode in ("P", "RGBA", "LA", "1")]
    pictures.append(Image.fromarray(still.astype(np.uint16) * 257))
    return [_bytes(path, partial(write_png, frame=still)), *(_bytes(path, each.save) for each in pictures)]


def nifti(folder: Path, frames: int = FRAMES) -> bytes:
    """A sequence, or a still where it has one frame; not compressed."""
    return _nifti(folder, fan(frames))


def nifti_labels(folder: Path, frames: int = FRAMES) -> bytes:
    """Labels of it."""
    return _nifti(folder, (fan(frames) > 0).astype(np.uint8))


def dicoms(folder: Path) -> list[bytes]:
    """A clip in each way to store pixels."""
    return [_bytes(folder / "a.dcm", partial(_write_dicom, kind=kind)) for kind in STORAGE_KINDS]


def _nifti(folder: Path, frames: Pixels) -> bytes:
    pixels = frames if len(frames) > 1 else frames[0]
    return gzip.decompress(
        _bytes(folder / "a.nii.gz", partial(write_nifti, frames=pixels, spacing_mm=SPACING_MM))
    )


def _bytes(path: Path, write: Callable[[Path], None]) -> bytes:
    write(path)
    content = path.read_bytes()
    path.unlink()
    return content


def _write_dicom(path: Path, kind: str) -> None:
    header = Dataset()
    header.SpecificCharacterSet, header.Modality = "ISO_IR 100", "US"
    header.SOPClassUID = UltrasoundMultiFrameImageStorage
    header.SOPInstanceUID = header.StudyInstanceUID = generate_uid(entropy_srcs=[kind])
    header.PatientName = header.PatientID = CANARY
    header.SeriesDescription, header.ViewName = CANARY, "A4C"
    header.FrameTime, header.CineRate = 20.0, 50
    header.SequenceOfUltrasoundRegions = Sequence([_region()])
    write_dicom(path, header, np.repeat(fan()[..., None], 3, axis=-1), kind)


def _region() -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 3
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = WIDTH - 1, HEIGHT - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.03, 0.04
    return region


INFO = "ED: 1\nES: 4\nNbFrame: 6\nSex: F\nAge: 56\nImageQuality: Good\nEF: 56.5\nFrameRate: 48.0\n"

_CHORDS = "".join(
    f"{clip}.avi,{10 + row},{20 + row},{40 - row},{22 + row},{frame}\n"
    for clip in ("C1", "C2")
    for frame in (1, 4)
    for row in range(8)
)
_POINTS = "".join(
    f"C{clip}-C{clip + 1}-000001.avi,{x},{y},{frame}\n"
    for clip in (1, 2)
    for frame in (1, 4)
    for x, y in ((10, 10), (30, 12), (32, 30), (20, 40), (9, 28))
)
TABLES: Mapping[str, Mapping[str, str]] = {
    "echonet_dynamic": {
        "FileList.csv": (
            "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split\n"
            "C1,78.5,14.9,69.2,48,64,50,6,TRAIN\nC2,55.1,40.2,90.0,48,64,50,6,VAL\n"
            f"{CANARY},30,60,90,48,64,50,6,TEST\n"
        ),
        "VolumeTracings.csv": f"FileName,X1,Y1,X2,Y2,Frame\n{_CHORDS}",
    },
    "echonet_pediatric": {
        "A4C/FileList.csv": (
            "FileName,EF,Sex,Age,Weight,Height,Split\n"
            "C1-C2-000001.avi,60.9,F,5,20.5,110,0\nC2-C3-000001.avi,40,M,7,30,120,9\n"
        ),
        "A4C/VolumeTracings.csv": f"FileName,X,Y,Frame\n{_POINTS}C1-C2-000001.avi,0,0,No Systolic\n",
    },
    "echonet_lvh": {
        "MeasurementsList.csv": (
            ",HashedFileName,Calc,CalcValue,Frame,X1,X2,Y1,Y2,Frames,FPS,Width,Height,split\n"
            "0,C1,IVSd,1.1,3,10,12,20,30,6,50,64,48,train\n1,C1,LVIDd,4.4,3,12,20,30,70,6,50,64,48,train\n"
            "2,C1,LVPWd,1.0,3,20,22,70,79,6,50,64,48,train\n3,C2,IVSd,1.4,0,10,12,20,33,6,50,64,48,val\n"
            f"4,C2,{CANARY},1.4,0,10,12,20,33,6,50,64,48,val\n"
        ),
        "hashed_index_old_split.csv": "HashedFileName,split\nC1,train\nC2,test\n",
    },
    "tmed2": {
        "labels_per_image.csv": (
            "query_key,view_label,diagnosis_label,view_classifier_split,diagnosis_classifier_split\n"
            "1s1_1.png,PLAX,no_AS,train,train\n1s1_2.png,A4C,no_AS,train,train\n"
            f"2s1_1.png,A2C,severe_AS,val,Not_Provided\n3s1_1.png,{CANARY},mild_AS,test,test\n"
        ),
        "DEV479/TMED2_fold0_labeledpart.csv": (
            "query_key,view_label,diagnosis_label,view_classifier_split,diagnosis_classifier_split\n"
            "1s1_1.png,PLAX,no_AS,train,train\n2s1_1.png,A2C,severe_AS,val,val\n"
        ),
    },
    "echoclr_study": {
        "train.csv": "fpath,acc_num,av_stenosis,plax_prob\nvideos/E1_0.avi,E1,None,0.98\nvideos/E1_1.avi,E1,None,1\n",
        "ext_test.csv": "fpath,acc_num,av_stenosis,plax_prob\nvideos/E2_0.avi,E2,Severe,0.9\n",
        "echo_labels.csv": f"Accession Number,LVH_LVMi,Name\nE1,Hypertrophy,{CANARY}\nE2,Normal,{CANARY}\n",
    },
    "camus": {
        "database_nifti/patient0001/Info_4CH.cfg": f"{INFO}Name: {CANARY}\n",
        "database_split/subgroup_training.txt": "patient0001\npatient0002\n",
        "database_split/subgroup_testing.txt": "patient0003\n",
    },
}
"""Tables of each source: file by file, small and whole."""
