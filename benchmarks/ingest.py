"""Frames per second of `apical ingest` beside a plain OpenCV loop that only decodes: same files, same run.

Ours decodes, finds the sector, blanks what is outside, rasterises the traces, hashes the files and writes the dataset.
Prints medians over rounds in which both take turns, and the peak memory for two numbers of clips.

    python benchmarks/ingest.py [--clips 1000] [--rounds 5] [--memory-clips 100 1000]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from apical.phantom.write import write_phantom
from apical.workers import available_cores

HEARTS = 24
"""Rendered; the rest are copies under other names, since only decoding is timed."""

RIVAL = """
import sys, pathlib, cv2
frames = 0
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.avi")):
    video = cv2.VideoCapture(str(path))
    while video.read()[0]:
        frames += 1
print(frames)
"""
OURS = """
import sys, pathlib
from apical.ingest import ingest
dataset = ingest("echonet_dynamic", pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), ["processes=" + sys.argv[3]])
print(dataset.card.counts["frames"])
"""
METER = """
import json, resource, runpy, sys, time
began = time.perf_counter()
sys.argv = sys.argv[1:]
exec(compile(sys.argv[0], "timed", "exec"))
ours, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "wall_s": time.perf_counter() - began,
    "cpu_s": ours.ru_utime + ours.ru_stime + children.ru_utime + children.ru_stime,
    "parent_mb": ours.ru_maxrss / 1024, "worker_mb": children.ru_maxrss / 1024,
}))
"""


def main() -> None:
    """Make the files, time both, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-clips", type=int, nargs=2, default=(100, 1000))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        hearts = Path(scratch) / "hearts"
        write_phantom("echonet_dynamic", hearts, patients=HEARTS, seed=7)
        compare_speed(hearts, Path(scratch), arguments.clips, arguments.rounds)
        compare_memory(hearts, Path(scratch), *arguments.memory_clips)


def compare_speed(hearts: Path, scratch: Path, clips: int, rounds: int) -> None:
    """One worker against one OpenCV loop, then all cores."""
    folder = copies(hearts, scratch / "speed", clips)
    cores = available_cores()
    opencv = "opencv decode only, 1 process"
    rows: dict[str, list[dict[str, Any]]] = {opencv: []}
    rows |= {f"apical ingest, {processes} worker(s)": [] for processes in sorted({1, cores})}
    for _ in range(rounds):
        rows[opencv].append(timed(RIVAL, str(folder)))
        for processes in sorted({1, cores}):
            out = scratch / "dataset"
            rows[f"apical ingest, {processes} worker(s)"].append(
                timed(OURS, str(folder), str(out), str(processes))
            )
            shutil.rmtree(out)
    rival = statistics.median(row["frames"] / row["cpu_s"] for row in rows[opencv])
    frames = rows[opencv][0]["frames"]
    print(f"{clips} clips, {frames} frames, median of {rounds} rounds, {cores} cores")
    print(f"{'':36} frames/s wall   frames/s of CPU time   per core, beside OpenCV")
    for name, results in rows.items():
        wall = statistics.median(row["frames"] / row["wall_s"] for row in results)
        cpu = statistics.median(row["frames"] / row["cpu_s"] for row in results)
        print(f"{name:36} {wall:13.0f} {cpu:22.0f} {cpu / rival:24.2f}")


def compare_memory(hearts: Path, scratch: Path, few: int, many: int) -> None:
    """Peak memory of the parent and of its largest worker."""
    peaks = {}
    for clips in (few, many):
        folder = copies(hearts, scratch / f"memory{clips}", clips)
        result = timed(OURS, str(folder), str(scratch / f"out{clips}"), "2")
        peaks[clips] = result["parent_mb"] + 2 * result["worker_mb"]
        print(f"{clips} clips: parent {result['parent_mb']:.0f} MB, worker {result['worker_mb']:.0f} MB")
    print(f"peak memory for {many} clips is {peaks[many] / peaks[few]:.3f} × that for {few}")


def copies(hearts: Path, folder: Path, clips: int) -> Path:
    """An EchoNet-Dynamic folder of `clips` clips made of the rendered ones."""
    (folder / "Videos").mkdir(parents=True)
    listed = rows_of(hearts / "FileList.csv")
    traced = rows_of(hearts / "VolumeTracings.csv")
    names = [f"0X{index:016X}" for index in range(clips)]
    origins = [listed[index % len(listed)] for index in range(clips)]
    for name, origin in zip(names, origins, strict=True):
        os.link(hearts / "Videos" / f"{origin['FileName']}.avi", folder / "Videos" / f"{name}.avi")
    write_rows(
        folder / "FileList.csv", [row | {"FileName": name} for name, row in zip(names, origins, strict=True)]
    )
    by_name: dict[str, list[dict[str, str]]] = {}
    for row in traced:
        by_name.setdefault(row["FileName"], []).append(row)
    tracings = [
        row | {"FileName": f"{name}.avi"}
        for name, origin in zip(names, origins, strict=True)
        for row in by_name.get(f"{origin['FileName']}.avi", [])
    ]
    write_rows(folder / "VolumeTracings.csv", tracings)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    """A table as one dictionary a row."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """The reverse."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def timed(code: str, *arguments: str) -> dict[str, Any]:
    """Run code in a process of its own: frames, wall and CPU seconds, peak memory."""
    command = [sys.executable, "-c", METER, code, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    frames, measured = answer.stdout.strip().splitlines()[-2:]
    return {"frames": int(frames), **json.loads(measured)}


if __name__ == "__main__":
    main()
