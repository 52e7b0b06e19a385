"""An ingest loses nothing: not to a kill, not to a broken file, not to a second run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.ingest import ingest
from apical.phantom.layouts._camus_old import CamusOld
from apical.phantom.write import write_layout

ONE = ["processes=1"]
Folder = Callable[..., Path]


@pytest.fixture
def source(phantom_folder: Folder, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(phantom_folder("echonet_dynamic"), tmp_path / "source"))


def test_the_same_data_give_the_same_dataset_whatever_the_number_of_workers(
    source: Path, tmp_path: Path
) -> None:
    one = ingest("echonet_dynamic", source, tmp_path / "one", ["processes=1"])
    two = ingest("echonet_dynamic", source, tmp_path / "two", ["processes=2"])
    assert one.card.content_sha256 == two.card.content_sha256


KILLED = """
import sys, pathlib
from apical.ingest import ingest
from apical.phantom.layouts._camus_old import CamusOld
from apical.phantom.write import write_layout
ingest("echonet_dynamic", pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), ["processes=1"])
"""


@pytest.mark.parametrize("clips_before_the_kill", [0, 1, 3, 6])
def test_a_killed_ingest_continues_and_ends_as_if_nothing_had_happened(
    source: Path, tmp_path: Path, clips_before_the_kill: int
) -> None:
    undisturbed = ingest("echonet_dynamic", source, tmp_path / "undisturbed", ONE)
    out = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(source), str(out)], stderr=subprocess.DEVNULL
    )
    journal = out / ".draft" / "journal.jsonl"
    while process.poll() is None and lines_in(journal) < clips_before_the_kill:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    continued = ingest("echonet_dynamic", source, out, ONE)
    assert continued.card.content_sha256 == undisturbed.card.content_sha256
    for name in ("frames.u8", "clips.parquet", "traces.parquet", "exclusions.csv"):
        assert (out / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    assert not (out / ".draft").exists()


def test_an_interrupted_ingest_of_other_clips_is_taken_over_at_once(source: Path, tmp_path: Path) -> None:
    whole = ingest("echonet_dynamic", source, tmp_path / "whole", ONE)
    first, second = whole.clips["source_path"].to_list()[:2]
    interrupted = tmp_path / "d"
    shutil.copytree(whole.folder, interrupted / ".draft")
    (interrupted / ".draft" / "ingest.jsonl").rename(interrupted / ".draft" / "journal.jsonl")
    (interrupted / ".draft" / "dataset.json").unlink()
    before = whole.clip_frames(clip_at(whole, second)).copy()
    shutil.copy(source / whole.clips["source_path"][2], source / first)
    blank_in_secret(source / second)
    continued = ingest("echonet_dynamic", source, interrupted, ONE)
    np.testing.assert_array_equal(continued.clip_frames(clip_at(continued, second)), before)
    assert continued.card.counts["usable_clips"] == len(whole.clips)


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_second_run_redoes_only_what_changed(source: Path, tmp_path: Path) -> None:
    first = ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    changed, untouched = first.clips["source_path"].to_list()[:2]
    before = first.clip_frames(clip_at(first, untouched)).copy()
    shutil.copy(source / untouched, source / changed)
    blank_in_secret(source / untouched)
    second = ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    np.testing.assert_array_equal(second.clip_frames(clip_at(second, untouched)), before)
    np.testing.assert_array_equal(second.clip_frames(clip_at(second, changed)), before)


def clip_at(dataset: Dataset, path: str) -> str:
    return str(dataset.clips.filter(pl.col("source_path") == path)["clip"].item())


def blank_in_secret(path: Path) -> None:
    """Overwrite a file so that its size and time do not tell."""
    stat = path.stat()
    path.write_bytes(bytes(stat.st_size))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_an_unchanged_folder_is_left_as_it_is(source: Path, tmp_path: Path) -> None:
    ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    before = (tmp_path / "d" / "dataset.json").stat().st_mtime_ns
    ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    assert (tmp_path / "d" / "dataset.json").stat().st_mtime_ns == before


def test_other_settings_redo_every_clip(source: Path, tmp_path: Path) -> None:
    ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    small = ingest("echonet_dynamic", source, tmp_path / "d", [*ONE, "height=56", "width=56"])
    assert small.clip_frames(small.clips["clip"][0]).shape[1:] == (56, 56)
    assert (small.traces["source_height"] == 112).all()
    assert small.traces["source_runs"].null_count() == 0


def test_what_cannot_be_read_stands_in_the_tables_with_its_reason(source: Path, tmp_path: Path) -> None:
    videos = sorted((source / "Videos").iterdir())
    videos[0].unlink()
    videos[1].write_bytes(b"not a video")
    videos[2].write_bytes(b"")
    dataset = ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    bad = dataset.clips.filter(pl.col("excluded").is_not_null())
    assert set(bad["clip"]) == {video.stem for video in videos[:3]}
    assert len(dataset.clips) == len(videos)
    assert set(dataset.exclusions.filter(pl.col("level") == "clip")["clip"]) == set(bad["clip"])


def test_end_diastole_is_told_by_area(source: Path, tmp_path: Path) -> None:
    dataset = ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    for clip in dataset.usable_clips["clip"]:
        traces = dataset.traces.filter(pl.col("clip") == clip).iter_rows(named=True)
        areas = {trace["phase"]: int(dataset.trace_mask(trace).sum()) for trace in traces}
        assert areas["ed"] > areas["es"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("missing folder", "no such folder"),
        ("foreign folder", "something else"),
        ("inside itself", "inside its own source"),
        ("file as dataset", "A file stands"),
    ],
)
def test_a_wrong_place_is_refused_before_anything_is_written(
    source: Path, tmp_path: Path, change: str, expected: str
) -> None:
    folder, out = source, tmp_path / "out"
    if change == "missing folder":
        folder = tmp_path / "nowhere"
    elif change == "foreign folder":
        out.mkdir()
        (out / "thesis.docx").write_text("precious")
    elif change == "inside itself":
        out = source / "dataset"
    else:
        out.write_text("precious")
    with pytest.raises(ApicalError, match=expected):
        ingest("echonet_dynamic", folder, out, ONE)


@pytest.mark.parametrize("setting", ["processes=-1", "height=-5", "timeout_s=0", "height=[", "memory_mb=1"])
def test_settings_out_of_range_are_refused(source: Path, tmp_path: Path, setting: str) -> None:
    with pytest.raises(ApicalError, match=setting.partition("=")[0]):
        ingest("echonet_dynamic", source, tmp_path / "d", [setting])


def test_another_source_does_not_take_the_place_of_a_dataset(source: Path, tmp_path: Path) -> None:
    ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    with pytest.raises(ApicalError, match="a dataset of the source echonet_dynamic"):
        ingest("videos", source, tmp_path / "d", ONE)


def test_a_dataset_is_not_replaced_by_one_without_clips(source: Path, tmp_path: Path) -> None:
    before = ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    for video in (source / "Videos").iterdir():
        video.write_bytes(b"")
    with pytest.raises(ApicalError, match="left as it was"):
        ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    assert Dataset.open(before.folder).card == before.card


def test_a_place_that_cannot_be_written_stops_the_ingest_and_blames_no_clip(source: Path) -> None:
    with pytest.raises(ApicalError, match="can't be written to"):
        ingest("echonet_dynamic", source, Path("/proc/nowhere"), ONE)


NO_ROOM = """
import pathlib, resource, sys
from apical.errors import MachineError
from apical.ingest import ingest
from apical.phantom.layouts._camus_old import CamusOld
from apical.phantom.write import write_layout
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        ingest("echonet_dynamic", pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), ["processes=1"])
    except MachineError as error:
        print(error)
"""


def test_when_there_is_no_room_for_a_workers_frames_all_stops_and_goes_on_later(
    source: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(NO_ROOM)
    command = [sys.executable, str(script), str(source), str(tmp_path / "d")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Free some space" in answer.stdout
    assert not (tmp_path / "d" / "dataset.json").exists()
    assert ingest("echonet_dynamic", source, tmp_path / "d", ONE).card.counts["usable_clips"] == 8


def test_a_refused_ingest_leaves_no_folder_behind(source: Path, tmp_path: Path) -> None:
    (source / "FileList.csv").unlink()
    with pytest.raises(ApicalError, match="Nothing here looks like"):
        ingest("echonet_dynamic", source, tmp_path / "d", ONE)
    assert not (tmp_path / "d").exists()


def test_pixels_beside_a_header_are_watched_and_hashed_too(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_layout(CamusOld(), source, patients=2, seed=3, processes=1)
    first = ingest("camus", source, tmp_path / "d", ONE)
    clip, path = first.usable_clips.select("clip", "source_path").row(0)
    raw = (source / path).with_suffix(".raw")
    raw.write_bytes(bytes(255 - value for value in raw.read_bytes()))
    before = first.clips.filter(pl.col("clip") == clip)["source_sha256"].item()
    second = ingest("camus", source, tmp_path / "d", ONE)
    assert second.clips.filter(pl.col("clip") == clip)["source_sha256"].item() != before


def test_thumbnails_are_drawn_of_clips_that_were_ingested_before(
    phantom_folder: Folder, tmp_path: Path
) -> None:
    source, out = phantom_folder("dicom", 2), tmp_path / "d"
    first = ingest("dicom", source, out, ONE)
    second = ingest("dicom", source, out, [*ONE, "thumbnails=true"])
    drawn = {path.stem for path in (tmp_path / "d.private" / "thumbnails").iterdir()}
    assert drawn == set(first.usable_clips["clip"])
    assert first.card.content_sha256 == second.card.content_sha256


def test_an_unknown_source_or_setting_names_the_nearest(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="Did you mean 'echonet_dynamic'"):
        ingest("echonet_dynamics", source, tmp_path / "d")
    with pytest.raises(ApicalError, match="Did you mean 'height'"):
        ingest("echonet_dynamic", source, tmp_path / "d", ["hight=64"])


def test_a_card_of_synthetic_data_that_is_broken_is_told(source: Path, tmp_path: Path) -> None:
    for content in (b"\xff{", b"[]", b"{}"):
        (source / "phantom.json").write_bytes(content)
        with pytest.raises(ApicalError, match=r"card of these synthetic data"):
            ingest("echonet_dynamic", source, tmp_path / "d", ONE)
