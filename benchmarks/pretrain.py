"""How fast `apical pretrain` is, beside lightly's SimCLR example and a plain loop: same frames, same run.

Three questions for each backbone: how many views a core makes (memory map, gathering, augmentation), how many images
a whole training step takes in, and what share of the fastest matrix products its arithmetic comes to. All ways take
turns; medians over the rounds are printed, and beside them what we aim at. Views are counted by processor time on a
CPU, steps on the wall.

    python benchmarks/pretrain.py [--size tiny|full] [--device auto|cpu|cuda] [--data DATASET] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from apical.dataset import Dataset
from apical.workers import available_cores
from pretrain_meter import describe, matmul_peak, one_thread, seconds_of, work_seconds_of
from pretrain_ours import Case, Ours
from pretrain_plans import AIMS, Plan, plan_of
from pretrain_rivals import Rival, lightly_transform, make_views, paper_transform, torchvision_transform

AUTO, PLAIN = "apical, precision=auto", "apical, precision=32"
TRANSFORMS = {
    "lightly SimCLRTransform": lightly_transform,
    "torchvision, OpenCV's blur": paper_transform,
    "torchvision alone": torchvision_transform,
}
MOST_FRAMES = 1024
SHARE_STEPS = 2
"""In which the input path's share is seen."""

Way = Callable[[], float]
"""Takes a turn and says what it measured."""


def main(arguments: list[str] | None = None) -> None:
    """Make a dataset, measure case by case, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=["tiny", "full"], default="full")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--data", type=Path, help="a dataset to measure on; else phantom hearts are made")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    is_gpu = chosen.device == "cuda" or (chosen.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda" if is_gpu else "cpu")
    plan = plan_of(chosen.size, is_gpu)
    print(f"device: {describe(device)}")
    print(f"medians of {plan.rounds} rounds")
    with tempfile.TemporaryDirectory() as scratch:
        is_given = chosen.data is not None
        dataset = Dataset.open(chosen.data) if is_given else phantom_dataset(Path(scratch), plan.hearts)
        results = {}
        for case in plan.cases:
            results[case.title] = measured(case, plan, dataset, device)
            show(case, results[case.title])
    if chosen.out is not None:
        chosen.out.write_text(json.dumps({"device": describe(device), "cases": results}, indent=1))


def phantom_dataset(scratch: Path, hearts: int) -> Dataset:
    """Synthetic hearts, ingested; by commands, whose workers need not import what stands above."""
    source, out = str(scratch / "source"), scratch / "dataset"
    phantom = ["phantom", source, "--layout", "echonet_dynamic", "--patients", str(hearts), "--seed", "7"]
    for words in (phantom, ["ingest", "echonet_dynamic", source, "--out", str(out)]):
        subprocess.run([sys.executable, "-m", "apical", *words], check=True, capture_output=True)
    return Dataset.open(out)


def measured(case: Case, plan: Plan, dataset: Dataset, device: torch.device) -> dict[str, Any]:
    """All figures of a case."""
    ours = {
        AUTO: Ours(case, dataset, device.type, "auto"),
        PLAIN: Ours(case, dataset, device.type, "32"),
    }
    frames = some_frames(dataset)
    is_compared = case.backbone["name"] in plan.compared
    try:
        figures: dict[str, Any] = {"arithmetic": ours[AUTO].arithmetic}
        if is_compared:
            figures["views_per_s"] = view_rates(ours[AUTO], frames, plan)
        figures |= step_figures(ours, frames if is_compared else None, plan)
        figures["flops_per_image"] = ours[AUTO].flops() / case.batch
    finally:
        for each in ours.values():
            each.close()
    figures["share_of_bf16_peak"] = (
        figures["images_per_s"][AUTO] * figures["flops_per_image"] / figures["peak_flops_per_s"]["bfloat16"]
    )
    return figures


def some_frames(dataset: Dataset) -> npt.NDArray[np.uint8]:
    """Random frames (N, H, W) for the rivals, copied into memory."""
    height, width = dataset.usable_clips.select("height", "width").row(0)
    count = len(dataset.frames) // (height * width)
    frames = dataset.frames[: count * height * width].reshape(count, height, width)
    return frames[np.random.default_rng(0).permutation(count)[:MOST_FRAMES]]


def view_rates(ours: Ours, frames: npt.NDArray[np.uint8], plan: Plan) -> dict[str, float]:
    """Views per second of one core, or of our GPU and a core of the rivals'."""
    case, cpu = ours.case, torch.device("cpu")

    def ours_in(batches: int) -> float:
        return work_seconds_of(lambda: ours.make_views(batches), ours.device) / batches

    def theirs_in(transform: Any) -> Callable[[int], float]:
        return lambda batches: (
            work_seconds_of(lambda: make_views(frames, transform, batches * case.batch), cpu) / batches
        )

    with one_thread():
        ways = {"apical": paced(ours_in, plan.turn_seconds)}
        for name, make in TRANSFORMS.items():
            ways[name] = paced(theirs_in(make(case.size)), plan.turn_seconds)
        seconds = medians(ways, plan.rounds)
    return {name: 2 * case.batch / value for name, value in seconds.items()}


def step_figures(
    ours: Mapping[str, Ours], frames: npt.NDArray[np.uint8] | None, plan: Plan
) -> dict[str, Any]:
    """Images per second of whole steps, the input path's share of ours, and the machine's peaks, turn by turn."""
    case, device = ours[AUTO].case, ours[AUTO].device
    steps: dict[str, Callable[[int], float]] = {name: seconds_a_step(each) for name, each in ours.items()}
    if frames is not None:
        workers = available_cores()
        lightly = Rival(case, frames, device, lightly_transform(case.size), workers)
        steps[f"lightly's example, {workers} workers"] = lightly.seconds_a_step
        paper = Rival(case, frames, device, paper_transform(case.size), 0)
        steps["plain loop, no workers"] = paper.seconds_a_step
    ways = {name: paced(way, plan.turn_seconds) for name, way in steps.items()}
    ways["share"] = lambda: ours[AUTO].input_share(SHARE_STEPS)
    for dtype in (torch.bfloat16, torch.float32):
        ways[str(dtype)] = peak_of(dtype, device, plan)
    found = medians(ways, plan.rounds)
    peaks = {name: found[f"torch.{name}"] for name in ("bfloat16", "float32")}
    rates = {name: case.batch / found[name] for name in steps}
    return {"images_per_s": rates, "input_share": found["share"], "peak_flops_per_s": peaks}


def seconds_a_step(ours: Ours) -> Callable[[int], float]:
    """How long each of some steps of ours takes."""
    return lambda steps: seconds_of(lambda: ours.train(steps), ours.device) / steps


def peak_of(dtype: torch.dtype, device: torch.device, plan: Plan) -> Way:
    """The most FLOP/s in this arithmetic."""
    return lambda: matmul_peak(dtype, device, plan.matmul_sides, plan.turn_seconds / 10)


def paced(way: Callable[[int], float], turn_seconds: float) -> Way:
    """Warmed up, and repeated so often in a turn that it lasts about `turn_seconds`; `way` gives seconds a time."""
    way(1)
    count = max(1, round(turn_seconds / way(1)))
    return lambda: way(count)


def medians(ways: Mapping[str, Way], rounds: int) -> dict[str, float]:
    """What each way measured, the median over rounds in which all take turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return {name: statistics.median(values) for name, values in found.items()}


def show(case: Case, figures: Mapping[str, Any]) -> None:
    """Print a case."""
    print(f"\n{case.title}, {case.batch} images a batch")
    if "views_per_s" in figures:
        show_rates("views/s of one core", figures["views_per_s"], "apical", AIMS.views)
    show_rates("images/s of whole steps", figures["images_per_s"], AUTO, AIMS.steps)
    peaks = figures["peak_flops_per_s"]
    flops = figures["flops_per_image"]
    print(
        f"  input path's share of a step        {figures['input_share']:9.1%}   target at most {AIMS.input_share:.0%}"
    )
    aim = "" if case.least_share is None else f"   target {case.least_share:.0%}"
    print(f"  share of the peak of bf16           {figures['share_of_bf16_peak']:9.1%}{aim}")
    print(
        f"    auto is {figures['arithmetic']}; {flops / 1e9:.1f} GFLOP an image; "
        f"peak {peaks['bfloat16'] / 1e9:.0f} GFLOP/s in bf16, {peaks['float32'] / 1e9:.0f} in float32"
    )


def show_rates(title: str, rates: Mapping[str, float], ours: str, aims: Mapping[str, float]) -> None:
    """Print rates, and how many times ours is as fast."""
    print(f"  {title:34} {'':>10}   ours beside it")
    for name, rate in rates.items():
        aim = next((f"   target {value:g}×" for start, value in aims.items() if name.startswith(start)), "")
        beside = "" if name == ours else f"{rates[ours] / rate:6.2f}×{aim}"
        print(f"    {name:32} {rate:10.1f}   {beside}")


if __name__ == "__main__":
    main()
