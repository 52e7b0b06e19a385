"""Trains the same run twice, once undisturbed and once killed again and again, and tells whether the weights agree.

`python -m tests.resume.killing DATASET OUT KILLS SEED WORDS…`: the words are a method or a task and its settings.
What is slow to import is imported once; each start is a fork, so that the clock runs for training alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import lightning_fabric  # noqa: F401
import matplotlib.figure
import torch
import torch._dynamo
from torch import nn

from apical import registry
from apical.checkpoint import read_tensors
from apical.finetune import finetune
from apical.pretrain import pretrain
from apical.run import Run

RESULTS = ("last", "best")


def warm_up(piece: str) -> None:
    """Do here what would otherwise be done at every start."""
    folder = "tasks" if piece in registry.names("tasks") else "methods"
    for kind, name in [(folder, piece), ("backbones", "vit_small"), ("optimisers", "adamw")]:
        registry.load(kind, name)
    weight = nn.Parameter(torch.ones(2))
    optimiser = torch.optim.AdamW([weight])
    weight.grad = torch.ones(2)
    optimiser.step()
    matplotlib.figure.Figure().add_subplot()


def begin(piece: str, settings: list[str], data: Path, out: Path) -> int:
    """Start training in a process of its own, or go on with it; the process's number."""
    process = os.fork()
    if process:
        return process
    stage = finetune if piece in registry.names("tasks") else pretrain
    stage(piece, out, data=data, resume=True, overrides=settings)
    os._exit(0)


def train(piece: str, settings: list[str], data: Path, out: Path) -> tuple[float, float]:
    """Train to the end; how long it took, and how long from one line of figures to the next, on average."""
    began, seen = time.monotonic(), {0: 0.0}
    process = begin(piece, settings, data, out)
    ended, status = os.waitpid(process, os.WNOHANG)
    while not ended:
        seen.setdefault(count_lines(out / "metrics.jsonl"), time.monotonic())
        time.sleep(0.001)
        ended, status = os.waitpid(process, os.WNOHANG)
    assert status == 0, "training failed"
    del seen[0]
    first, last = min(seen), max(seen)
    return time.monotonic() - began, (seen[last] - seen[first]) / max(last - first, 1)


def kill_after(seconds: float, process: int, lines: int, metrics: Path) -> bool:
    """Kill some time after there are so many lines of figures; whether it was still there to be killed."""
    while count_lines(metrics) < lines:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    time.sleep(seconds)
    if os.waitpid(process, os.WNOHANG)[0]:
        return False
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def count_lines(path: Path) -> int:
    """How many lines a file has; 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def draw_moment(
    chance: random.Random, takes: float, pace: float, done: int, lines: int, left: int
) -> tuple[float, int]:
    """When to kill: at any time since the start or, every other time, just after one of the next lines.

    Those are so few that the `left` kills still to come could share what lines there are.
    """
    if done >= lines or chance.random() < 0.5:
        return chance.uniform(0, takes), 0
    ahead = max((lines - done) // max(left, 1), 1)
    return chance.uniform(0, 2 * pace), chance.randint(done + 1, done + ahead)


def killed_enough(steps_at_kill: list[int], kills: int) -> bool:
    """Whether there were so many kills, and at different moments; chance is given up on after three times as many."""
    differ = len(set(steps_at_kill)) >= different_moments(kills)
    return len(steps_at_kill) >= kills and (differ or len(steps_at_kill) >= 3 * kills)


def different_moments(kills: int) -> int:
    """At how many different steps so many kills should come, at least."""
    return max(kills // 6, 1) + 1


def fingerprint(out: Path) -> dict[str, str]:
    """A hash of every tensor that training left, and of the figures that are not times."""
    prints = {}
    for which in RESULTS:
        tensors = Run.open(out).weights(which)  # type: ignore[arg-type]
        prints.update({f"{which} {name}": _hash(tensor) for name, tensor in tensors.items()})
    tensors, about = read_tensors(Run.resume_path(out))
    prints.update({f"resume {name}": _hash(tensor) for name, tensor in tensors.items()})
    prints["best figures"] = json.dumps(about["state"]["best"])
    lines = [{**line, "images_per_s": None} for line in Run.open(out).metrics]
    prints["metrics"] = json.dumps(lines)
    return prints


def _hash(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()).hexdigest()


def main() -> None:
    """Kill, resume, compare, and print what was found as JSON."""
    data, out, kills, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    piece, *settings = sys.argv[5:]
    chance = random.Random(seed)
    torch.set_num_threads(1)
    warm_up(piece)
    takes, pace = train(piece, settings, data, out / "whole")
    whole = fingerprint(out / "whole")
    lines = count_lines(out / "whole" / "metrics.jsonl")
    steps_at_kill: list[int] = []
    differing: set[str] = set()
    finished = 0
    while not killed_enough(steps_at_kill, kills) or not finished:
        run = out / f"killed{finished}"
        process = begin(piece, settings, data, run)
        metrics = run / "metrics.jsonl"
        left = kills - len(steps_at_kill)
        seconds, line = draw_moment(chance, takes, pace, count_lines(metrics), lines, left)
        if not killed_enough(steps_at_kill, kills) and kill_after(seconds, process, line, metrics):
            there = Run.resume_path(run)
            steps_at_kill.append(read_tensors(there)[1]["state"]["step"] if there.is_file() else 0)
            continue
        if killed_enough(steps_at_kill, kills):
            assert os.waitpid(process, 0)[1] == 0, "the resumed training failed"
        found = fingerprint(run)
        differing |= {name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name)}
        finished += 1
    json.dump(
        {"steps_at_kill": steps_at_kill, "differing": sorted(differing), "finished": finished}, sys.stdout
    )


if __name__ == "__main__":
    main()
