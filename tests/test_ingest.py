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
    assert not (out / ".draft").exists()


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


def test_an_unknown_source_or_setting_names_the_nearest(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="Did you mean 'echonet_dynamic'"):
        ingest("echonet_dynamics", source, tmp_path / "d")
    with pytest.raises(ApicalError, match="Did you mean 'height'"):
        ingest("echonet_dynamic", source, tmp_path / "d", ["hight=64"])
