"""The benchmark of RAPTOR, at its smallest: both ways are timed, and both have the same loss."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "raptor.py"
SMALLEST = {"--side": 4, "--sequences": 2, "--frames": 2, "--parcels": 8, "--rounds": 1, "--device": "cpu"}


def test_it_prints_both_ways_and_how_far_their_losses_lie_apart(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(SCRIPT))["main"]([str(word) for pair in SMALLEST.items() for word in pair])
    told = capsys.readouterr().out
    first, *lines = told.splitlines()
    assert first.startswith("2 sequences of 2 frames of 4² tokens and the class token, K = 8, on cpu")
    assert "aim 20×" in told
    seconds = [float(found) for line in lines[:4] for found in re.findall(r" (\d+\.\d{3})", line)]
    assert len(seconds) == 4
    ratios = [float(found) for found in re.findall(r"([\d.]+)×(?:, aim|\n)", told)]
    assert len(ratios) == 4  # and the aim itself
    apart = re.search(r"losses lie (\S+) apart", told)
    assert apart
    assert float(apart[1]) < 1e-5
