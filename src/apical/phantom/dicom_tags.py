"""Headers of synthetic DICOM files: an invented identity and a rendering come in, data elements go out.

Nothing in here belongs to a person; it looks as if it did, so that de-identification can be tested.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UltrasoundMultiFrameImageStorage, generate_uid

from apical.phantom.draws import generator
from apical.phantom.plan import ClipPlan, Rendering

__all__ = [
    "ECHO_VIEW_KINDS",
    "REGION_KINDS",
    "Identity",
    "add_echo_view",
    "add_identity",
    "add_regions",
    "add_timing",
    "identity_of",
]

FAMILY = ("DOE", "ROE", "FABRICATE", "PLACEHOLDER", "INVENTED", "NOBODY")
GIVEN = ("JANE", "JOHN", "ALEX", "ROBIN", "KIM", "MARIA")
PRIVATE_GROUP, OVERLAY_GROUP = 0x0009, 0x6000
TISSUE, ECG = 0x0001, 0x000A
CENTIMETRES = 0x0003
SPILL_PX = 200

ECHO_VIEWS = {
    "a4c": ("399214001", "Apical four chamber", "A4C"),
    "a2c": ("399232001", "Apical two chamber", "A2C"),
    "plax": ("399139001", "Parasternal long axis", "PLAX"),
}
"""Code, words and abbreviation of each."""
ECHO_VIEW_KINDS = ("code", "name", "description", "none")
"""How a file tells its echocardiographic view; turns go by this order."""
REGION_KINDS = ("plain", "larger_than_image", "ecg_first", "negative_delta", "none")
"""What is odd about a file's ultrasound regions; turns go by this order."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An invented person."""

    name: str
    number: str
    birth_date: str
    study_date: str
    institution: str = "Nowhere General Hospital"

    @property
    def texts(self) -> tuple[str, ...]:
        """What a machine burns into its pictures."""
        return (
            self.name.replace("^", ", "),
            self.number,
            self.study_date,
            self.institution,
            "Adult echo",
            "MI 1.2",
        )


def identity_of(seed: int, index: int) -> Identity:
    """Invent the person that patient `index` is."""
    draw = generator("dicom identity", seed, index)
    family, given = FAMILY[index % len(FAMILY)], GIVEN[int(draw.integers(len(GIVEN)))]
    birth, study = (f"{draw.integers(low, high)}{draw.integers(1, 13):02d}{draw.integers(1, 28):02d}"
                    for low, high in ((1930, 2000), (2015, 2024)))  # fmt: skip
    return Identity(f"{family}^{given}", f"MRN{draw.integers(10**6, 10**7)}", birth, study)


def add_identity(header: Dataset, plan: ClipPlan, person: Identity) -> None:
    """Add what must not leave a hospital: names, dates, free text, private elements, an overlay."""
    header.PatientName, header.PatientID = person.name, person.number
    header.PatientBirthDate, header.PatientSex = person.birth_date, "O"
    header.PatientAddress = "1 Invented Street"
    header.PatientComments = f"Daughter of {person.name} will call back"
    header.InstitutionName = person.institution
    header.ReferringPhysicianName = "QUACK^QUINCY"
    header.OperatorsName = "SCAN^SAM"
    header.AccessionNumber = f"ACC{person.number[3:]}"
    header.StudyID = person.number[-4:]
    header.StudyDate = header.SeriesDate = header.ContentDate = header.AcquisitionDateTime = person.study_date
    header.StudyTime = header.ContentTime = "101500"
    header.StudyDescription = f"Echo of {person.name}"
    header.DeviceSerialNumber = "SN-0001"
    header.BurnedInAnnotation = "YES"
    header.SOPClassUID = UltrasoundMultiFrameImageStorage
    header.StudyInstanceUID = generate_uid(entropy_srcs=["study", plan.study])
    header.SeriesInstanceUID = generate_uid(entropy_srcs=["series", plan.path])
    header.SOPInstanceUID = generate_uid(entropy_srcs=["instance", plan.path])
    header.InstanceNumber = plan.clip + 1
    private = header.private_block(PRIVATE_GROUP, "APICAL PHANTOM", create=True)
    private.add_new(0x01, "LO", person.name)
    private.add_new(0x02, "OB", person.number.encode() + b"\0" * (len(person.number) % 2))
    _add_overlay(header)


def _add_overlay(header: Dataset) -> None:
    """Add a plane of 16 x 16 bits, as a caliper would leave."""
    bits = np.packbits(np.eye(16, dtype=np.uint8), bitorder="little").tobytes()
    elements = ((0x10, "US", 16), (0x11, "US", 16), (0x40, "CS", "G"), (0x50, "SS", [1, 1]), (0x100, "US", 1),
                (0x102, "US", 0), (0x3000, "OW", bits))  # fmt: skip
    for element, kind, value in elements:
        header.add_new((OVERLAY_GROUP, element), kind, value)


def add_echo_view(header: Dataset, echo_view: str, kind: str) -> None:
    """Tell the echocardiographic view as a code, as its name, as the series' description, or not at all."""
    number, words, abbreviation = ECHO_VIEWS[echo_view]
    if kind == "code":
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = number, "SCT", words
        header.ViewCodeSequence = Sequence([code])
    elif kind == "name":
        header.ViewName = abbreviation
    elif kind == "description":
        header.SeriesDescription = words


def add_timing(header: Dataset, rendering: Rendering, *, by_frame_time: bool) -> None:
    """Tell the frame rate, either as milliseconds a frame or as frames a second."""
    header.HeartRate = round(rendering.patient.heart_rate_bpm)
    if by_frame_time:
        header.FrameTime = f"{1000 / rendering.fps_hz:.6g}"
        header.FrameIncrementPointer = 0x00181063
    else:
        header.CineRate = header.RecommendedDisplayFrameRate = round(rendering.fps_hz)


def add_regions(header: Dataset, rendering: Rendering, kind: str) -> None:
    """Tell where the fan lies and how large its pixels are, with the oddity `kind`."""
    if kind == "none":
        return
    rows, columns = (np.flatnonzero(rendering.clip.sector.any(axis=axis)) for axis in (1, 0))
    spill = SPILL_PX if kind == "larger_than_image" else 0
    corners = int(columns[0]), int(rows[0]), int(columns[-1]) + spill, int(rows[-1]) + spill
    spacing_y, spacing_x = rendering.clip.spacing_mm
    tissue = _region(
        TISSUE, corners, spacing_x / 10, spacing_y / 10 * (-1 if kind == "negative_delta" else 1)
    )
    regions = [tissue]
    if kind == "ecg_first":
        height, width = rendering.clip.sector.shape
        regions.insert(0, _region(ECG, (0, int(0.9 * height), width - 1, height - 1), 0.01, 0.01))
    header.SequenceOfUltrasoundRegions = Sequence(regions)


def _region(data_type: int, corners: tuple[int, int, int, int], delta_x: float, delta_y: float) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 0x0001, data_type, 0x0003
    region.RegionLocationMinX0, region.RegionLocationMinY0 = corners[:2]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = corners[2:]
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = CENTIMETRES
    region.PhysicalDeltaX, region.PhysicalDeltaY = delta_x, delta_y
    region.ReferencePixelX0 = region.ReferencePixelY0 = 0
    return region
