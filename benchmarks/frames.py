"""Random frames per second from a dataset folder beside decoding the same frames from the AVI files, same run.

python benchmarks/frames.py [--frames 20000] [--decoded 300] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from apical.dataset import Dataset
from apical.ingest import ingest
from apical.phantom.write import write_phantom

HEARTS = 24
SIDE = 112


def main() -> None:
    """Make a dataset, time both ways in turn, print medians and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--decoded", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch) / "source", Path(scratch) / "dataset"
        write_phantom("echonet_dynamic", source, patients=HEARTS, seed=7)
        dataset = ingest("echonet_dynamic", source, out)
        stored = FromDataset(dataset)
        ways: dict[str, tuple[int, Callable[[np.random.Generator], int]]] = {
            "dataset, one frame a call": (arguments.frames, stored.one),
            "dataset, a batch of 256": (arguments.frames, stored.batch),
            "AVI, seek and decode": (arguments.decoded, FromVideo(dataset, source).one),
        }
        rates = {name: rate(*way, rounds=arguments.rounds) for name, way in ways.items()}
    slowest = rates["AVI, seek and decode"]
    print(
        f"{'random 112×112 frames':28} {'frames/s':>10} {'beside AVI':>12}   median of {arguments.rounds} rounds"
    )
    for name, value in rates.items():
        print(f"{name:28} {value:10.0f} {value / slowest:11.0f}×")


def rate(count: int, way: Callable[[np.random.Generator], int], rounds: int) -> float:
    """Median frames per second."""
    rates = []
    for round_number in range(rounds):
        generator = np.random.default_rng(round_number)
        done, began = 0, time.perf_counter()
        while done < count:
            done += way(generator)
        rates.append(done / (time.perf_counter() - began))
    return statistics.median(rates)


class FromDataset:
    """Frames copied out of the memory map."""

    def __init__(self, dataset: Dataset) -> None:
        self.frames = dataset.frames.reshape(-1, SIDE, SIDE)

    def one(self, generator: np.random.Generator) -> int:
        """One random frame, copied."""
        self.frames[generator.integers(len(self.frames))].copy()
        return 1

    def batch(self, generator: np.random.Generator) -> int:
        """256 random frames, gathered into one array."""
        np.take(self.frames, generator.integers(len(self.frames), size=256), axis=0)
        return 256


class FromVideo:
    """Frames decoded from where they lie: open the video, seek, decode one."""

    def __init__(self, dataset: Dataset, source: Path) -> None:
        self.clips = [
            (str(source / path), count)
            for path, count in dataset.clips.select("source_path", "num_frames").rows()
        ]

    def one(self, generator: np.random.Generator) -> int:
        """One random frame of one random video."""
        path, count = self.clips[generator.integers(len(self.clips))]
        video = cv2.VideoCapture(path)
        video.set(cv2.CAP_PROP_POS_FRAMES, int(generator.integers(count)))
        found, _ = video.read()
        assert found
        return 1


if __name__ == "__main__":
    main()
