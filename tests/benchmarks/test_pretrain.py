"""The benchmark of pretraining, at its smallest: what it says is whole, and its arithmetic is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from apical import registry
from apical.dataset import Dataset

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "pretrain.py"


@dataclass(frozen=True)
class Told:
    """What a run of the benchmark leaves."""

    printed: str
    written: dict[str, Any]


@pytest.fixture(scope="module")
def told(phantom_dataset: Callable[..., Dataset], tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The smallest run, on one core."""
    out = tmp_path_factory.mktemp("benchmark") / "figures.json"
    options = {
        "--size": "tiny",
        "--device": "cpu",
        "--data": phantom_dataset("echonet_dynamic").folder,
        "--out": out,
    }
    command = [sys.executable, str(SCRIPT), *(str(word) for pair in options.items() for word in pair)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert answer.returncode == 0, answer.stderr
    return Told(answer.stdout, json.loads(out.read_text()))


def test_ours_and_all_rivals_are_measured_in_one_run(told: Told) -> None:
    case = told.written["cases"]["ResNet-18 at 32"]
    assert [name.split()[0] for name in case["views_per_s"]] == [
        "apical",
        "lightly",
        "torchvision,",
        "torchvision",
    ]
    assert [name.split()[0] for name in case["images_per_s"]] == ["apical,", "apical,", "lightly's", "plain"]
    assert min([*case["views_per_s"].values(), *case["images_per_s"].values()]) > 0


def test_what_is_printed_names_the_device_and_what_is_aimed_at(told: Told) -> None:
    assert told.printed.startswith("device: ")
    for aim in ("target 4×", "target 20×", "target 3×", "target at most 10%"):
        assert aim in told.printed


def test_the_share_of_the_peak_follows_from_what_was_measured(told: Told) -> None:
    for case in told.written["cases"].values():
        rate = case["images_per_s"]["apical, precision=auto"]
        peak = case["peak_flops_per_s"]["bfloat16"]
        assert case["share_of_bf16_peak"] == pytest.approx(rate * case["flops_per_image"] / peak)
        assert 0 < case["input_share"] < 1


def test_a_step_counts_as_three_forward_passes(told: Told) -> None:
    counted = told.written["cases"]["ResNet-18 at 32"]["flops_per_image"]
    assert counted == pytest.approx(2 * 3 * forward_flops("resnet18", 32), rel=0.03)


def forward_flops(name: str, size: int) -> int:
    """Two for each product of a weight and a pixel, summed over the convolutions as they run."""
    kind = registry.load("backbones", name)
    net = kind(kind.Config(stride=32)).eval()
    flops: list[int] = []

    def note(layer: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        flops.append(2 * layer.weight[0].numel() * output.numel())

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(note)
    net(torch.rand(1, 1, size, size))
    return sum(flops)
