"""Is the order of frames there to be told, and who learns it? EchoCLR's second task alone, on synthetic studies.

Three ways, one after the other: by hand (frames put so that neighbours are most alike, forth or back not told apart), a
net that learns nothing but the order of shuffled clips, and two layers on what a frozen encoder sees of each frame.
`--ramp` adds a brightness that grows from frame to frame: whoever can't learn that has a fault in the road.

    python studies/frame_order.py DATASET [--encoder RUN] [--stride 4] [--side 64] [--steps 300] [--epochs 200] [--ramp]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from apical import registry
from apical.dataset import Dataset
from apical.encoders import encoder_of
from apical.frames import FrameStore
from apical.methods.echoclr import shuffled
from apical.precision import autocast
from apical.run import Run
from apical.sampling.clips import clip_frames

FRAMES = 4
ORDERS = torch.tensor(list(permutations(range(FRAMES))))
BATCH, LEARNT, JUDGED = 32, 4096, 1024
"""Clips at once, and those of which a frozen encoder's vectors are learnt from and judged."""
RAMP = 0.05


@dataclass
class Clips:
    """Random clips of a split."""

    store: FrameStore
    stride: int
    side: int
    ramp: float
    random: np.random.Generator

    @classmethod
    def of(cls, dataset: Dataset, split: str, wishes: argparse.Namespace) -> Clips:
        """Those of training or validation."""
        clips = dataset.usable_clips.filter(dataset.usable_clips["split"] == split)
        store = FrameStore.open(dataset, clips, "ram")
        ramp = RAMP if wishes.ramp else 0.0
        return cls(store, wishes.stride, wishes.side, ramp, np.random.default_rng(0))

    def draw(self, count: int) -> Tensor:
        """(count, 1, T, H, W), in their order."""
        rows = self.random.integers(len(self.store.num_frames), size=count)
        frames = clip_frames(self.store.num_frames[rows], FRAMES, self.stride, self.random.random(count))
        growing = self.ramp * torch.arange(FRAMES)[:, None, None]
        return self.store.plain_images(rows, frames, self.side) + growing


def main() -> None:
    """Try all ways, and print what is told rightly of held-out clips."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--encoder", type=Path, help="a run of 'apical pretrain', for the third way")
    parser.add_argument("--backbone", default="tsm_resnet18")
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--ramp", action="store_true")
    wishes = parser.parse_args()
    dataset = Dataset.open(wishes.dataset)
    learnt, judged = (Clips.of(dataset, split, wishes) for split in ("train", "val"))
    print(f"chance {1 / len(ORDERS):.3f}, {dataset.card.title}, frames {wishes.stride} apart")
    print(f"by hand, but for direction: {by_hand(judged.draw(400)):.3f}")
    if wishes.steps:
        print(f"{wishes.backbone}, {wishes.steps} steps: {by_net(wishes, learnt, judged):.3f}")
    if wishes.encoder is not None:
        seen, unseen = frozen(wishes.encoder, learnt, LEARNT), frozen(wishes.encoder, judged, JUDGED)
        right = by_layers(seen, unseen, wishes.epochs)
        print(f"two layers on {wishes.encoder.name}, frozen: {right:.3f}")


def by_hand(clips: Tensor) -> float:
    """How often the shortest way through the frames is the true one, or its reverse."""
    flat = clips.flatten(3)[:, 0]
    apart = (flat[:, :, None] - flat[:, None]).abs().mean(dim=3)
    lengths = sum(apart[:, ORDERS[:, place], ORDERS[:, place + 1]] for place in range(FRAMES - 1))
    assert isinstance(lengths, Tensor)
    best = ORDERS[lengths.argmin(dim=1)]
    forth = torch.arange(FRAMES)
    return float(((best == forth).all(dim=1) | (best == forth.flip(0)).all(dim=1)).float().mean())


def by_net(wishes: argparse.Namespace, learnt: Clips, judged: Clips) -> float:
    """A backbone and a linear layer on its vector, from random weights."""
    torch.manual_seed(0)
    kind = registry.load("backbones", wishes.backbone)
    backbone = kind(kind.Config())
    head = nn.Linear(backbone.num_features, len(ORDERS))

    def told(clips: Tensor) -> Tensor:
        with autocast("auto", clips.device):
            vector = backbone(clips).vector
        scores: Tensor = head(vector.float())
        return scores

    parameters = [*backbone.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-4)
    dial = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=wishes.steps)
    for _ in range(wishes.steps):
        learn(told, learnt.draw(BATCH), optimiser)
        dial.step()
    backbone.eval()
    return float(np.mean([accuracy(told, judged.draw(64)) for _ in range(8)]))


def frozen(folder: Path, clips: Clips, count: int) -> Tensor:
    """(count, D, T, 1, 1): what a run's encoder sees of each frame alone, in the shape of clips."""
    encoder = encoder_of(Run.open(folder), "last")
    parts = []
    for _ in range(count // 64):
        frames = clips.draw(64).transpose(1, 2).flatten(0, 1)
        with torch.no_grad(), autocast("auto", frames.device):
            vectors = encoder(frames).vector.float()
        parts.append(vectors.reshape(64, FRAMES, -1).transpose(1, 2)[..., None, None])
    return torch.cat(parts)


def by_layers(learnt: Tensor, judged: Tensor, epochs: int) -> float:
    """Two layers over the frames' vectors in turn, each feature scaled by those learnt from."""
    torch.manual_seed(0)
    mean, spread = learnt.mean((0, 2), keepdim=True), learnt.std((0, 2), keepdim=True) + 1e-6
    learnt, judged = (learnt - mean) / spread, (judged - mean) / spread
    size = FRAMES * learnt.shape[1]
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(size, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, len(ORDERS))
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    for _ in range(epochs):
        for part in torch.split(torch.randperm(len(learnt)), 128):
            learn(net, learnt[part], optimiser)
    net.eval()
    return float(np.mean([accuracy(net, judged) for _ in range(5)]))


def learn(told: Callable[[Tensor], Tensor], clips: Tensor, optimiser: torch.optim.Optimizer) -> None:
    """Take a step on clips (B, C, T, H, W), shuffled."""
    orders = torch.randint(len(ORDERS), (len(clips),))
    loss = functional.cross_entropy(told(_in_order(clips, orders)), orders)
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()


@torch.no_grad()
def accuracy(told: Callable[[Tensor], Tensor], clips: Tensor) -> float:
    """The share of shuffled clips whose order is told rightly."""
    orders = torch.randint(len(ORDERS), (len(clips),))
    return float((told(_in_order(clips, orders)).argmax(dim=1) == orders).float().mean())


def _in_order(clips: Tensor, orders: Tensor) -> Tensor:
    return shuffled(clips, ORDERS[orders])


if __name__ == "__main__":
    main()
