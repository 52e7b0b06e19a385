from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from apical import registry
from apical.errors import ApicalError
from apical.phantom.dirt.planting import COSTS, plant
from apical.phantom.dirt.spoil_tables import WORDS
from apical.phantom.layouts.base import Layout
from apical.phantom.layouts.camus import Camus
from apical.phantom.layouts.echonet_dynamic import EchonetDynamic
from apical.phantom.plan import ClipPlan
from apical.phantom.write import write_layout
from apical.pixels.contour import crosses_itself, polygon_from_chords
from apical.readers.video import VideoReader

LAYOUTS = registry.names("phantom.layouts")
Folder = Callable[..., Path]
PATIENTS = 56
"""Of which a fifth is enough for every kind of fault."""


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with every fault, its clips short."""
    folder = tmp_path_factory.mktemp("dirty") / "set"
    write_layout(ShortDynamic(), folder, patients=PATIENTS, faults=EchonetDynamic.faults, processes=1)
    return folder


class ShortDynamic(EchonetDynamic):
    """The layout with clips as short as one beat needs."""

    def plans(self, patients: int, seed: int) -> Iterator[ClipPlan]:
        for plan in super().plans(patients, seed):
            yield replace(plan, beats=1.7, fps_hz=20.0)


def planted(folder: Path) -> dict[str, dict[str, str]]:
    rows = pl.read_csv(folder / "phantom_truth" / "planted.csv", infer_schema=False).iter_rows(named=True)
    return {row["kind"]: row for row in rows}


def load(name: str) -> Layout:
    layout: Layout = registry.load("phantom.layouts", name)()
    return layout


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_fault_of_a_layout_is_planted_once_where_there_is_room(name: str) -> None:
    layout = load(name)
    plans = plant(layout, list(layout.plans(70, 2)), 2, layout.faults)
    spoilt = [plan for plan in plans if plan.fault]
    assert {plan.fault for plan in spoilt} == set(layout.faults)
    assert len({plan.patient for plan in spoilt}) == len(layout.faults)
    assert len(spoilt) <= 0.2 * len(plans)


@pytest.mark.parametrize("name", LAYOUTS)
def test_few_patients_get_what_fits(name: str) -> None:
    layout = load(name)
    plans = plant(layout, list(layout.plans(4, 2)), 2, layout.faults)
    assert 1 <= sum(plan.fault is not None for plan in plans) <= max(1, 0.2 * len(plans))


def test_clean_sets_are_clean() -> None:
    plans = list(EchonetDynamic().plans(9, 0))
    assert plant(EchonetDynamic(), plans, 0, ()) == plans


def test_what_was_left_out_is_counted(tmp_path: Path) -> None:
    layout = load("tmed2")
    counts = write_layout(layout, tmp_path / "set", patients=1, faults=layout.faults, processes=1)
    assert counts["faults"] == 1
    assert counts["faults"] + counts["faults_left_out"] == len(layout.faults)


def test_every_planted_fault_is_written_down_with_its_cost(dirty: Path) -> None:
    rows = planted(dirty)
    assert {kind: row["cost"] for kind, row in rows.items()} == COSTS
    clips = pl.read_parquet(dirty / "phantom_truth" / "clips.parquet")
    assert {row["path"] for row in rows.values()} <= set(clips["path"])


@pytest.mark.parametrize("kind", ["unreadable_file", "truncated_file"])
def test_spoilt_files_cannot_be_decoded(kind: str, dirty: Path) -> None:
    path = dirty / planted(dirty)[kind]["path"]
    assert path.stat().st_size > 1000
    with pytest.raises(ApicalError):
        VideoReader().read(path)


def test_a_missing_file_is_listed_and_absent(dirty: Path) -> None:
    path = planted(dirty)["missing_file"]["path"]
    assert not (dirty / path).exists()
    assert Path(path).stem in pl.read_csv(dirty / "FileList.csv", infer_schema=False)["FileName"]


def test_a_wrong_frame_count_is_a_claim_and_no_damage(dirty: Path) -> None:
    recording = VideoReader().read(dirty / planted(dirty)["wrong_frame_count"]["path"])
    assert recording.stated_frames == len(recording.frames) + 25


def test_a_blank_clip_is_black_and_an_odd_one_has_another_size(dirty: Path) -> None:
    rows = planted(dirty)
    assert VideoReader().read(dirty / rows["blank"]["path"]).frames.max() < 3
    assert VideoReader().read(dirty / rows["odd_size"]["path"]).frames.shape[1:] == (97, 131)


def traced(folder: Path, kind: str) -> pl.DataFrame:
    table = pl.read_csv(folder / "VolumeTracings.csv")
    return table.filter(pl.col("FileName") == Path(planted(folder)[kind]["path"]).name)


def test_tracings_are_missing_or_past_the_end(dirty: Path) -> None:
    assert traced(dirty, "missing_tracings").is_empty()
    row = planted(dirty)["trace_past_end"]
    last = max(traced(dirty, "trace_past_end")["Frame"].to_list())
    assert last == int(row["frame"])
    assert last >= len(VideoReader().read(dirty / row["path"]).frames)


def test_only_the_planted_contour_crosses_itself(dirty: Path) -> None:
    bow = int(planted(dirty)["self_crossing"]["frame"])
    for (frame,), rows in traced(dirty, "self_crossing").group_by("Frame"):
        chords = rows.select("X1", "Y1", "X2", "Y2").rows()[1:]
        assert crosses_itself(polygon_from_chords(chords)) == (frame == bow)


def test_words_stand_in_one_number_and_one_patient_in_two_splits(dirty: Path) -> None:
    table = pl.read_csv(dirty / "FileList.csv", infer_schema=False)
    assert table.filter(pl.col("EF") == WORDS)["FileName"].to_list() == [
        Path(planted(dirty)["text_in_number"]["path"]).stem
    ]
    twice = table.filter(pl.col("FileName").is_duplicated())
    assert set(twice["FileName"]) == {Path(planted(dirty)["patient_in_two_splits"]["path"]).stem}
    assert twice["Split"].n_unique() == 2


def test_a_missed_camus_patient_is_listed_and_has_no_folder(tmp_path: Path) -> None:
    write_layout(Camus(), tmp_path / "set", patients=5, faults=["missing_file"], processes=1)
    rows = pl.read_csv(tmp_path / "set" / "phantom_truth" / "planted.csv")
    assert len(rows) == 2
    (patient,) = set(rows["patient"])
    root = tmp_path / "set" / "CAMUS_public"
    assert not (root / "database_nifti" / patient).exists()
    assert patient in "".join(path.read_text() for path in (root / "database_split").iterdir())


@pytest.mark.parametrize(
    ("name", "patients"), [("camus", 12), ("echonet_lvh", 8), ("echoclr_study", 8), ("tmed2", 8)]
)
def test_each_layout_has_its_own_way_of_two_splits(name: str, patients: int) -> None:
    layout = load(name)
    plans = plant(layout, list(layout.plans(patients, 0)), 0, ["patient_in_two_splits"])
    (plan,) = (plan for plan in plans if plan.fault)
    assert layout.other_split(plan) in set(layout.splits) - {plan.split}
