"""The door: quick, polite, and with nothing behind it but the stages."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apical import registry
from apical.version import VERSION
from tests.tasks.painted import painted
from tests.test_finetune import TINY


def apical(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "apical", *words], capture_output=True, text=True)


def test_help_answers_in_under_half_a_second() -> None:
    """Of processor time, so that a busy machine does not count; the best of five."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "Research use only" in apical("--help").stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, apical.cli; print({'torch', 'polars', 'numpy', 'pydantic', 'av'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_the_version_is_told() -> None:
    assert apical("--version").stdout.strip() == f"apical {VERSION}"


def test_every_piece_is_listed() -> None:
    listed = apical("list", "sources").stdout
    assert all(name in listed for name in registry.names("sources"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("list", "source"), "Did you mean 'sources'"),
        (("inspect", "/nowhere"), "no complete dataset"),
        (("ingest", "camsu", ".", "--out", "/tmp/x"), "Did you mean 'camus'"),
        (("phantom", "/tmp/x", "--layout", "camsu"), "Did you mean 'camus'"),
        (("finetune", "lv_segmentation", "--out", "/tmp/x"), "Add --data DATASET"),
        (("evaluate", "/nowhere", "--data", "/nowhere", "--out", "/tmp/x"), "no run.json"),
        (("compare", "/nowhere", "/nowhere"), "no summary.json"),
    ],
)
def test_a_mishap_is_one_paragraph_and_exit_code_2(words: tuple[str, ...], expected: str) -> None:
    answer = apical(*words)
    assert answer.returncode == 2
    assert expected in answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_the_road_from_phantom_to_page(phantom_folder: Callable[..., Path], tmp_path: Path) -> None:
    source, out = phantom_folder("echonet_dynamic"), tmp_path / "dataset"
    ingested = apical("ingest", "echonet_dynamic", str(source), "--out", str(out), "processes=1")
    assert ingested.returncode == 0, ingested.stderr
    assert "8 of 8 clips" in ingested.stdout
    inspected = apical("inspect", str(out))
    assert inspected.returncode == 0, inspected.stderr
    assert (out / "inspect" / "index.html").is_file()


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("finetune", ["--data", "--init", "--network", "--labels", "--seed", "--recipe", "--resume"]),
        ("evaluate", ["--data", "--out", "--split", "--which", "--batch-size"]),
        ("compare", ["--figure", "--out"]),
    ],
)
def test_help_of_a_command_names_its_options(command: str, options: list[str]) -> None:
    answer = apical(command, "--help")
    assert answer.returncode == 0
    assert all(option in answer.stdout for option in options)


def test_the_road_from_labels_to_a_comparison(tmp_path: Path) -> None:
    data = painted(tmp_path / "dataset").folder
    run, scores, table = (tmp_path / name for name in ("run", "scores", "table.json"))
    words = ["finetune", "lv_segmentation", "--data", str(data), "--out", str(run), "--labels", "2"]
    learnt = apical(*words, "--network", "unet", "--seed", "3", *TINY[1:])
    assert learnt.returncode == 0, learnt.stderr
    assert "from 8 labelled images of 2 patients" in learnt.stdout
    assert "(synthetic data)" in learnt.stdout
    words = ["evaluate", str(run), "--data", str(data), "--out", str(scores), "--device", "cpu"]
    judged = apical(*words)
    assert judged.returncode == 0, judged.stderr
    assert "8 images of 2 patients" in judged.stdout
    compared = apical("compare", str(scores), str(scores), "--out", str(table))
    assert compared.returncode == 0, compared.stderr
    assert "+0.0000 (+0.0000 to +0.0000)" in compared.stdout
    assert table.is_file()
    assert all("Research use only" in answer.stdout for answer in (learnt, judged, compared))


@pytest.mark.parametrize("wait_s", [0.3, 0.8, 1.5])
def test_ctrl_c_says_how_to_go_on(phantom_folder: Callable[..., Path], tmp_path: Path, wait_s: float) -> None:
    """Pressed at several moments, and heard by the whole process group as in a terminal."""
    source, out = phantom_folder("echonet_dynamic"), tmp_path / "d"
    words = ["ingest", "echonet_dynamic", str(source), "--out", str(out), "processes=2"]
    command = [sys.executable, "-m", "apical", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and not (out / ".draft" / "journal.jsonl").exists():
        time.sleep(0.005)
    time.sleep(wait_s)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert "Traceback" not in told
    if not (out / "dataset.json").exists():  # else it was done before
        assert process.returncode == 130
        assert "run the same command again to continue" in told


def test_the_doctor_says_what_there_is() -> None:
    told = apical("doctor").stdout
    for name in ("apical", "python", "torch", "cpu bf16", "memory", "dicom codecs", "extra 'dev'"):
        assert name in told
