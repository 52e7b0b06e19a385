"""The benchmark of segmentation, at its smallest: all ways are there, and the rival counts as one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "segmentation.py"


def test_it_prints_every_way_beside_its_rival() -> None:
    words = [sys.executable, str(SCRIPT), "--frames", "2", "--rounds", "1", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    told = subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout
    first, *lines = told.splitlines()
    assert "aim 40" in first
    ratios = [float(found) for line in lines for found in re.findall(r"([\d.]+) ×", line)]
    assert len(ratios) == 4
    assert ratios[0] == 1.0
    assert all("Dice" in line for line in lines[1:])
