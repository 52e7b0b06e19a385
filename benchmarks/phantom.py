"""Synthetic frames per second on one core, rendering alone, anatomy and truth included; target: at least 200.

python benchmarks/phantom.py [--clips 12] [--rounds 3]
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import statistics
import time

from apical import registry
from apical.phantom.acquisition import draw_acquisition
from apical.phantom.clip import render_clip
from apical.phantom.patient import draw_patient

SIDE = 112


def main() -> None:
    """Render clips of every echo view in turn; print medians over rounds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{'echo view':14} {'frames/s of CPU time':>22} {'frames/s wall':>14}   {SIDE}×{SIDE}, one core")
    for echo_view in registry.names("phantom.anatomy"):
        rates = [rate(echo_view, arguments.clips, seed) for seed in range(arguments.rounds)]
        cpu, wall = (statistics.median(column) for column in zip(*rates, strict=True))
        print(f"{echo_view:14} {cpu:22.0f} {wall:14.0f}")


def rate(echo_view: str, clips: int, seed: int) -> tuple[float, float]:
    """Frames per second of CPU time and of wall time."""
    frames, cpu, wall = 0, time.process_time(), time.perf_counter()
    for index in range(clips):
        patient = draw_patient(seed, index)
        acquisition = draw_acquisition(patient, 0, echo_view, height=SIDE, width=SIDE)
        frames += len(render_clip(patient, acquisition).frames)
    return frames / (time.process_time() - cpu), frames / (time.perf_counter() - wall)


if __name__ == "__main__":
    main()
