"""How fast is a clip segmented? Ours beside torchvision's DeepLabV3 in plain float32, as EchoNet-Dynamic runs it.

All ways take turns on the same frames in one thread; medians of processor time (of wall time on a GPU) are printed,
and how far masks of the quick ways agree with those of the same network in float32.

    python benchmarks/segmentation.py [--run RUN --data DATASET] [--frames 100] [--rounds 5] [--device auto|cpu|cuda]

With --run, a run of 'apical finetune', and a dataset, our network has weights that find something, on real frames;
without, both are random, and how far masks agree says little.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from apical import registry
from apical.dataset import Dataset
from apical.encoders import backbone_from
from apical.frames import FrameStore
from apical.freezing import frozen
from apical.models import model_of
from apical.networks.base import Network, network_from
from apical.precision import autocast
from apical.run import Run

SIZE, RIVALS_BATCH, OUR_BATCH = 112, 20, 32
NARROW = (64, 96, 128, 192)
AIM = 40

Way = Callable[[], Tensor]


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path)
    parser.add_argument("--data", type=Path, help="whose frames are segmented, of the validation split first")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    chosen = parser.parse_args(arguments)
    is_gpu = chosen.device == "cuda" or (chosen.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda" if is_gpu else "cpu")
    torch.set_num_threads(1)
    clip = frames_of(chosen.data, chosen.frames).to(device)
    with torch.inference_mode():
        ways = ways_of(chosen.run, clip, device)
        show(ways, times_of(ways, chosen.rounds, is_gpu), len(clip), device)


def frames_of(data: Path | None, count: int) -> Tensor:
    """So many frames (N, 1, H, W): the first of each clip, or noise."""
    if data is None:
        return torch.rand((count, 1, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    dataset = Dataset.open(data)
    clips = dataset.usable_clips.sort(pl.col("split") != "val", maintain_order=True).head(count)
    first = np.zeros(len(clips), np.int64)
    return FrameStore.open(dataset, clips, "disk").plain_images(np.arange(len(clips)), first, SIZE)


def ways_of(run: Path | None, clip: Tensor, device: torch.device) -> dict[str, Way]:
    """By name, the rival first; each gives the logits of all frames."""
    rival = _deeplab().to(device)
    network = (_small() if run is None else model_of(Run.open(run)).network).to(device)
    network = network.to(memory_format=torch.channels_last)
    quick = frozen(network, (SIZE, SIZE), "auto", device)
    three = clip.expand(-1, 3, -1, -1)

    def in_bf16(images: Tensor) -> Tensor:
        with autocast("auto", device):
            logits: Tensor = network(images.contiguous(memory_format=torch.channels_last))
        return logits

    def deeplab(images: Tensor) -> Tensor:
        logits: Tensor = rival(images)["out"]
        return logits

    return {
        "torchvision DeepLabV3-R50, float32, batch 20": lambda: _batched(deeplab, three, RIVALS_BATCH),
        "apical U-Net on a narrow ResNet-18, float32": lambda: _batched(network, clip, OUR_BATCH),
        "the same, precision=auto": lambda: _batched(in_bf16, clip, OUR_BATCH),
        "the same, frozen": lambda: _batched(quick, clip, OUR_BATCH),
    }


def times_of(ways: dict[str, Way], rounds: int, is_gpu: bool) -> dict[str, list[float]]:
    """Seconds of each way in each round; the first round warms up and does not count."""
    clock = time.perf_counter if is_gpu else time.process_time
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            began = clock()
            way()
            if is_gpu:
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(clock() - began)
    return seconds


def show(ways: dict[str, Way], seconds: dict[str, list[float]], frames: int, device: torch.device) -> None:
    """Print frames a second, the ratio to the rival, and how far masks agree."""
    rival, plain, *_ = ways
    base = statistics.median(seconds[rival])
    reference = _masks(ways[plain]())
    print(
        f"{frames} frames of {SIZE}×{SIZE}, {device.type}, one thread, torch {torch.__version__}; aim {AIM} ×"
    )
    for name, times in seconds.items():
        middle = statistics.median(times)
        agreement = (
            ""
            if name == rival
            else f"  masks agree with float32: Dice {_dice(_masks(ways[name]()), reference):.4f}"
        )
        print(f"{name:<46}{frames / middle:>9.1f} frames/s{base / middle:>8.1f} ×{agreement}")


def _deeplab() -> torch.nn.Module:
    from torchvision.models.segmentation import deeplabv3_resnet50

    network: torch.nn.Module = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=1).eval()
    return network


def _small() -> Network:
    torch.manual_seed(0)
    backbone = registry.load("backbones", "resnet18").Config(stride=32, widths=NARROW)
    config = registry.load("networks", "unet_resnet").Config()
    return network_from(config, backbone, backbone_from(backbone), num_classes=2).eval()


def _batched(network: Callable[[Tensor], Tensor], clip: Tensor, size: int) -> Tensor:
    return torch.cat([network(part).float() for part in torch.split(clip, size)])


def _masks(logits: Tensor) -> Tensor:
    """The ventricle, which is the second class, or the only one."""
    return logits.argmax(dim=1) == 1 if logits.shape[1] > 1 else logits[:, 0] > 0


def _dice(found: Tensor, reference: Tensor) -> float:
    both = int(found.sum()) + int(reference.sum())
    return 2 * int((found & reference).sum()) / both if both else 1.0


if __name__ == "__main__":
    main()
