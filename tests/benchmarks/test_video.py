"""The benchmark of clips, at its smallest: what it says is whole, and its arithmetic is right."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "video.py"


class Told(NamedTuple):
    """What a run of the benchmark leaves."""

    printed: str
    written: dict[str, Any]


@pytest.fixture(scope="module")
def told(phantom_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The smallest run, on one core."""
    out = tmp_path_factory.mktemp("benchmark") / "figures.json"
    options = {"--size": "tiny", "--device": "cpu", "--source": phantom_folder("echoclr_study"), "--out": out}
    command = [sys.executable, str(SCRIPT), *(str(word) for pair in options.items() for word in pair)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert answer.returncode == 0, answer.stderr
    return Told(answer.stdout, json.loads(out.read_text()))


def test_ours_and_the_released_way_are_measured_in_one_run(told: Told) -> None:
    written = told.written
    assert list(written["input_clips_per_s"]) == ["apical", "released", "decoded before"]
    assert list(written["pretraining"]["clips_per_s"]) == ["apical", "released, 0 workers"]
    assert list(written["finetuning"]["clips_per_s"]) == ["apical", "apical, tsm_resnet18", "released"]
    rates = [*written["input_clips_per_s"].values(), *written["pretraining"]["clips_per_s"].values()]
    assert min(rates) > 0


def test_what_is_printed_names_the_device_and_what_is_aimed_at(told: Told) -> None:
    assert told.printed.startswith("device: ")
    assert "target 30×" in told.printed
    assert told.printed.count("target 2.5×") == 2


def test_what_ingest_costs_stands_beside_what_it_saves(told: Told) -> None:
    rates = told.written["input_clips_per_s"]
    saved = 1 / rates["released"] - 1 / rates["apical"]
    passes = re.search(r"shown (\S+) times", told.printed)
    assert passes
    assert float(passes[1]) == pytest.approx(told.written["ingest_s_per_clip"] / saved, abs=0.06)


@pytest.mark.parametrize(
    ("job", "clips", "frames", "side"), [("pretraining", 4, 4, 112), ("finetuning", 1, 16, 32)]
)
def test_a_step_counts_as_three_forward_passes(
    told: Told, job: str, clips: int, frames: int, side: int
) -> None:
    figures = told.written[job]
    forward, on_frames = products(frames, side)
    assert figures["batch"] == clips
    assert figures["flops"] / clips == pytest.approx(
        2 * 3 * forward, rel=0.05
    )  # the stem has no gradient to pass on
    assert figures["needed"] == pytest.approx(on_frames / forward)


def products(frames: int, side: int) -> tuple[int, int]:
    """Products of R3D-18's weights and a clip's pixels: all, and those with frames that are there."""
    wide, length, side = 64, frames, side // 2
    found = [conv(1, wide, length, 1, 49 * side**2)]
    for channels in (64, 128, 256, 512):
        stride = 1 if channels == wide else 2
        side //= stride
        if stride == 2:
            shortcut = channels * wide * -(-length // 2) * side**2
            found.append((shortcut, shortcut))
        found.append(conv(wide, channels, length, stride, 9 * side**2))
        wide, length = channels, -(-length // stride)
        found += [conv(wide, wide, length, 1, 9 * side**2)] * 3
    return sum(each[0] for each in found), sum(each[1] for each in found)


def conv(channels: int, wide: int, frames: int, stride: int, taps: int) -> tuple[int, int]:
    """Of a kernel that spans three frames, with so many products in each of them."""
    centres = range(0, frames, stride)
    within = sum(0 <= centre + offset < frames for centre in centres for offset in (-1, 0, 1))
    return channels * wide * taps * 3 * len(centres), channels * wide * taps * within
