from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from apical import registry
from apical.errors import ApicalError
from apical.phantom.write import write_phantom

LAYOUTS = registry.names("phantom.layouts")


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_number_of_processes_changes_no_byte(tmp_path: Path) -> None:
    for processes in (1, 2):
        write_phantom("tmed2", tmp_path / str(processes), patients=2, seed=5, dirt=True, processes=processes)
    assert digests(tmp_path / "1") == digests(tmp_path / "2")


@pytest.mark.parametrize("layout", ["camus", "dicom", "echonet_dynamic"])
def test_the_same_seed_writes_the_same_bytes_and_another_one_does_not(layout: str, tmp_path: Path) -> None:
    for name, seed in {"first": 1, "second": 1, "other": 2}.items():
        write_phantom(layout, tmp_path / name, patients=1, seed=seed, processes=1)
    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    assert digests(tmp_path / "first") != digests(tmp_path / "other")


def test_the_card_says_that_all_is_synthetic_and_complete(tmp_path: Path) -> None:
    counts = write_phantom("tmed2", tmp_path / "set", patients=1, processes=1)
    card = json.loads((tmp_path / "set" / "phantom.json").read_text())
    assert card["synthetic"] is True
    assert card["is_complete"] is True
    assert card["layout"] == "tmed2"
    assert card["licence"] == "CC0-1.0, synthetic"
    assert card["counts"] == counts


def test_counts_are_those_of_the_files(tmp_path: Path) -> None:
    counts = write_phantom("tmed2", tmp_path / "set", patients=3, processes=1)
    assert counts["clips"] == len(list((tmp_path / "set").rglob("*.png")))
    assert counts["clips"] == len(pl.read_parquet(tmp_path / "set" / "phantom_truth" / "clips.parquet"))


KILLED = """
import pathlib, sys
from apical.phantom.write import write_phantom
write_phantom("echonet_dynamic", pathlib.Path(sys.argv[1]), patients=5, dirt=True, processes=1)
"""


@pytest.mark.parametrize("clips_before_the_kill", [1, 3])
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(
    tmp_path: Path, clips_before_the_kill: int
) -> None:
    write_phantom("echonet_dynamic", tmp_path / "whole", patients=5, dirt=True, processes=1)
    folder = tmp_path / "killed"
    logbook = folder / "phantom_truth" / ".written.jsonl"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stderr=subprocess.DEVNULL)
    while process.poll() is None and not (
        logbook.exists() and len(logbook.read_bytes().splitlines()) >= clips_before_the_kill
    ):
        time.sleep(0.002)
    process.kill()
    process.wait()
    done = [
        folder / json.loads(line)["path"] for line in logbook.read_text().splitlines()[:clips_before_the_kill]
    ]
    before = [path.stat().st_mtime_ns for path in done]
    write_phantom("echonet_dynamic", folder, patients=5, dirt=True, processes=1)
    assert digests(folder) == digests(tmp_path / "whole")
    spoilt = set(pl.read_csv(folder / "phantom_truth" / "planted.csv")["path"])
    kept = [
        stamp
        for path, stamp in zip(done, before, strict=True)
        if path.relative_to(folder).as_posix() not in spoilt
    ]
    assert kept == [
        path.stat().st_mtime_ns for path in done if path.relative_to(folder).as_posix() not in spoilt
    ]


def test_a_whole_folder_is_renewed_when_it_is_written_again(tmp_path: Path) -> None:
    for name in ("whole", "interrupted"):
        write_phantom("tmed2", tmp_path / name, patients=2, dirt=True, processes=1)
    folder = tmp_path / "interrupted"
    for path in (folder / "phantom_truth" / "clips.parquet", next(folder.rglob("*.png"))):
        path.unlink()
    (folder / "approved_users_only" / "labels_per_image.csv").write_text("query_")
    write_phantom("tmed2", folder, patients=2, dirt=True, processes=1)
    assert digests(folder) == digests(tmp_path / "whole")


@pytest.mark.parametrize("other", [{"patients": 2}, {"seed": 1}, {"dirt": True}])
def test_a_folder_of_another_phantom_is_refused(other: dict[str, Any], tmp_path: Path) -> None:
    write_phantom("tmed2", tmp_path / "set", patients=1, processes=1)
    with pytest.raises(ApicalError, match="another synthetic data set"):
        write_phantom("tmed2", tmp_path / "set", **{"patients": 1, "processes": 1, **other})


def test_a_folder_with_foreign_files_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("precious")
    with pytest.raises(ApicalError, match="not empty"):
        write_phantom("tmed2", tmp_path, patients=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize("wrong", [{"patients": 0}, {"patients": 1, "seed": -1}])
def test_nonsense_is_refused_before_anything_is_written(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="nothing to write"):
        write_phantom("tmed2", tmp_path / "set", **wrong)
    assert not (tmp_path / "set").exists()


def test_an_unknown_layout_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="Did you mean 'camus'"):
        write_phantom("camsu", tmp_path / "set", patients=1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_temporary_file_is_left(layout: str, tmp_path: Path) -> None:
    write_phantom(layout, tmp_path / "set", patients=1, processes=1)
    assert not list((tmp_path / "set").rglob("*.part"))
