"""How fast EchoCLR's road of clips is, beside its released way: same videos, same run, all ways take turns.

Four questions: how many clips a core makes ready (ours from a dataset's memory map, theirs from files that OpenCV
decodes), what ingest costs beforehand, how many clips a whole step of pretraining or fine-tuning takes in (ours as
`precision=auto` has it, theirs R3D-18 of three channels in float32), and what share of the fastest bf16 matrix products
ours comes to. Medians over the rounds are printed, and what we aim at. Clips are counted by processor time on a CPU,
steps on the wall.

    python benchmarks/video.py [--size tiny|full] [--device auto|cpu|cuda] [--source FOLDER] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from apical.dataset import Dataset
from apical.workers import available_cores
from pretrain import Way, medians, paced, show_rates
from pretrain_meter import describe, matmul_peak, one_thread, seconds_of, work_seconds_of
from video_ours import Clips, OurFinetuning, OurPretraining, counted
from video_rivals import Pairs, ReleasedFinetuning, ReleasedPretraining, load_video, pairs_of

OURS, CHEAP = "apical", "apical, tsm_resnet18"
INPUT_AIMS = {"released": 30.0}
STEP_AIMS = {"released": 2.5}
FRAMES, LONG, SIDE = 4, 16, 112

Meter = Callable[[Callable[[], object], torch.device], float]


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    pairs: int
    """In a batch of pretraining."""
    clips: int
    """In a batch of fine-tuning."""
    side: int
    """Of them."""
    workers: tuple[int, ...]
    """Of the released loader."""
    hearts: int
    rounds: int
    steps: int
    """In a turn."""
    turn_seconds: float
    """Of the input path."""
    matmul_sides: tuple[int, ...]


def plan_of(size: str, is_gpu: bool) -> Plan:
    """The plan of this size; a GPU gets larger batches."""
    if size == "tiny":
        return Plan(2, 1, 32, (0,), 4, 1, 1, 0.01, (64,))
    if is_gpu:
        return Plan(64, 32, SIDE, (0, available_cores()), 12, 5, 10, 2.0, (4096, 8192))
    return Plan(8, 4, SIDE, (0, 1), 8, 3, 1, 1.0, (512, 1024, 2048))


def main(arguments: list[str] | None = None) -> None:
    """Make videos, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=["tiny", "full"], default="full")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--source", type=Path, help="a folder as EchoCLR's; else phantom hearts are made")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    is_gpu = chosen.device == "cuda" or (chosen.device == "auto" and torch.cuda.is_available())
    device, plan = torch.device("cuda" if is_gpu else "cpu"), plan_of(chosen.size, is_gpu)
    print(f"device: {describe(device)}")
    print(f"medians of {plan.rounds} rounds")
    with tempfile.TemporaryDirectory() as scratch:
        source = chosen.source or phantom_videos(Path(scratch) / "source", plan.hearts)
        ingest = ingested(source, Path(scratch) / "dataset")
        figures = measured(plan, source, Dataset.open(Path(scratch) / "dataset"), device)
    figures["ingest_s_per_clip"] = ingest
    show(plan, figures)
    if chosen.out is not None:
        chosen.out.write_text(json.dumps({"device": describe(device), **figures}, indent=1))


def phantom_videos(folder: Path, hearts: int) -> Path:
    """Synthetic studies of a few videos each, on disk as the paper's code reads them."""
    run_apical("phantom", str(folder), "--layout", "echoclr_study", "--patients", str(hearts), "--seed", "7")
    return folder


def ingested(source: Path, out: Path) -> float:
    """Seconds of processor time a clip, all processes and the command's own start included."""
    began = _children_seconds()
    run_apical("ingest", "echoclr_study", str(source), "--out", str(out))
    return (_children_seconds() - began) / len(Dataset.open(out).usable_clips)


def run_apical(*words: str) -> None:
    """By a command, whose workers need not import what stands above."""
    subprocess.run([sys.executable, "-m", "apical", *words], check=True, capture_output=True)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(plan: Plan, source: Path, dataset: Dataset, device: torch.device) -> dict[str, Any]:
    """All figures but ingest's."""
    clips = Clips(plan.pairs, FRAMES, SIDE)
    ours = OurPretraining(clips, dataset, device)
    try:
        rates = input_rates(ours, source, plan)
        theirs = {
            f"released, {workers} workers": ReleasedPretraining(clips, pairs_of(source), device, workers)
            for workers in plan.workers
        }
        ways = {OURS: steps_of(ours.step, device)} | {
            name: each.seconds_a_step for name, each in theirs.items()
        }
        counts = counted(ours.job.model, ours)
        pretraining = step_figures(ways, 2 * plan.pairs, plan, device) | asdict(counts)
    finally:
        ours.close()
    figures = {"arithmetic": ours.arithmetic, "input_clips_per_s": rates, "pretraining": pretraining}
    return {**figures, "finetuning": finetuning_figures(plan, device)}


def input_rates(ours: OurPretraining, source: Path, plan: Plan) -> dict[str, float]:
    """Clips per second of one core; theirs also where all videos are decoded already."""
    pairs, cpu = pairs_of(source), torch.device("cpu")
    decoded = {path: load_video(path) for pair in pairs for path in pair}

    def theirs(load: Any) -> Callable[[int], float]:
        def way(batches: int) -> float:
            shown = Pairs(pairs, FRAMES, batches * plan.pairs, load)
            return work_seconds_of(lambda: list(map(shown.__getitem__, range(len(shown)))), cpu) / batches

        return way

    ours_made = steps_of(ours.make_batch, ours.device, work_seconds_of)
    ways = {OURS: ours_made, "released": theirs(load_video), "decoded before": theirs(decoded.__getitem__)}
    with one_thread():
        seconds = medians({name: paced(way, plan.turn_seconds) for name, way in ways.items()}, plan.rounds)
    return {name: 2 * plan.pairs / value for name, value in seconds.items()}


def finetuning_figures(plan: Plan, device: torch.device) -> dict[str, Any]:
    """Steps on longer clips that are there already."""
    clips = Clips(plan.clips, LONG, plan.side)
    ours = OurFinetuning(clips, device)
    steps = {
        OURS: ours.step,
        CHEAP: OurFinetuning(clips, device, "tsm_resnet18").step,
        "released": ReleasedFinetuning(clips, device).step,
    }
    ways = {name: steps_of(step, device) for name, step in steps.items()}
    return step_figures(ways, plan.clips, plan, device) | asdict(counted(ours.net, ours))


def steps_of(
    step: Callable[[], None], device: torch.device, meter: Meter = seconds_of
) -> Callable[[int], float]:
    """How long each of some steps takes."""

    def way(count: int) -> float:
        def steps() -> None:
            for _ in range(count):
                step()

        return meter(steps, device) / count

    return way


def warmed(way: Callable[[int], float], steps: int) -> Way:
    """So many steps a turn, after a first one that isn't counted: these take seconds on a CPU."""
    way(1)
    return lambda: way(steps)


def step_figures(
    ways: Mapping[str, Callable[[int], float]], clips: int, plan: Plan, device: torch.device
) -> dict[str, Any]:
    """Clips per second of whole steps of `clips`, and the machine's peak, turn by turn."""
    turns = {name: warmed(way, plan.steps) for name, way in ways.items()}
    turns["peak"] = lambda: matmul_peak(torch.bfloat16, device, plan.matmul_sides, plan.turn_seconds / 10)
    found = medians(turns, plan.rounds)
    rates = {name: clips / found[name] for name in ways}
    return {"batch": clips, "clips_per_s": rates, "bf16_peak_flops_per_s": found["peak"]}


def show(plan: Plan, figures: Mapping[str, Any]) -> None:
    """Print all."""
    rates, ingest = figures["input_clips_per_s"], figures["ingest_s_per_clip"]
    print(f"\ninput path, pairs of clips of {FRAMES} frames, {SIDE}×{SIDE}")
    show_rates("clips/s of one core", rates, OURS, INPUT_AIMS)
    passes = ingest / (1 / rates["released"] - 1 / rates[OURS])
    print(f"  ingest, once for all: {1000 * ingest:.0f} ms of processor time a video, its start included;")
    each = 1000 / rates["released"]
    print(f"    theirs takes {each:.1f} ms each time: made up for when all were shown {passes:.1f} times")
    show_steps(f"EchoCLR, {plan.pairs} pairs of clips of {FRAMES} frames a step", figures["pretraining"])
    show_steps(
        f"fine-tuning, {plan.clips} clips of {LONG} frames, {plan.side}×{plan.side}, a step",
        figures["finetuning"],
    )
    print(f"\nours is {figures['arithmetic']}; products with padding before and behind clips are no work")


def show_steps(title: str, figures: Mapping[str, Any]) -> None:
    """Print whole steps, and their share of the peak."""
    print(f"\n{title}")
    rates, peak = figures["clips_per_s"], figures["bf16_peak_flops_per_s"]
    show_rates("clips/s of whole steps", rates, OURS, STEP_AIMS)
    share = rates[OURS] * figures["flops"] / figures["batch"] / peak
    print(f"  share of the peak of bf16           {share * figures['needed']:9.1%}")
    print(
        f"    {figures['flops'] / figures['batch'] / 1e9:.1f} GFLOP a clip, {figures['needed']:.0%} of it "
        f"on frames; peak {peak / 1e9:.0f} GFLOP/s in bf16"
    )


if __name__ == "__main__":
    main()
