"""What ours is measured against: EchoCLR's input path and step, restated from its released code.

Each clip is cut from a video that is decoded whole, by OpenCV, into three channels; each of its frames is turned by a
spline; R3D-18 has three channels in, arithmetic is float32. Frames are put into a random order, as the paper has it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from lightly.loss import NTXentLoss
from scipy.ndimage import rotate
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision.models import video

from pretrain_meter import finish
from video_ours import RATE, Clips

__all__ = ["Pairs", "ReleasedFinetuning", "ReleasedPretraining", "load_video", "pairs_of"]

Video = npt.NDArray[np.uint8]
Load = Callable[[Path], Video]
PAD, DEGREES = 8, 10


def load_video(path: Path) -> Video:
    """All frames (N, H, W, 3)."""
    capture = cv2.VideoCapture(str(path))
    count, width, height = (
        int(capture.get(what))
        for what in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    frames = np.zeros((count, height, width, 3), np.uint8)
    for frame in frames:
        frame[:] = capture.read()[1]
    return frames


def pairs_of(folder: Path) -> list[tuple[Path, Path]]:
    """All pairs of videos of each study; a video that is alone is its own partner."""
    studies = sorted(each for each in (folder / "videos").iterdir() if each.is_dir())
    videos = [sorted(study.glob("*.avi")) for study in studies]
    return [
        pair
        for paths in videos
        for pair in (combinations(paths, 2) if len(paths) > 1 else zip(paths, paths, strict=True))
    ]


class Pairs(torch.utils.data.Dataset[tuple[Tensor, ...]]):
    """Pairs of clips (3, T, H, W) and their orders; it begins again when all were shown."""

    def __init__(self, pairs: Sequence[tuple[Path, Path]], frames: int, count: int, load: Load) -> None:
        self.pairs, self.frames, self.count, self.load = pairs, frames, count, load
        self.random = np.random.default_rng(0)
        self.orders = np.array(list(permutations(range(frames))))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        if index >= self.count:
            raise IndexError(index)
        first, second = (self._clip(path) for path in self.pairs[index % len(self.pairs)])
        return first[0], second[0], first[1], second[1]

    def _clip(self, path: Path) -> tuple[Tensor, Tensor]:
        order = int(self.random.integers(len(self.orders)))
        clip = self._augmented(self._cut(self.load(path)))[self.orders[order]]
        low, high = clip.min(), clip.max()
        scaled = (clip - low) / (high - low)
        return torch.from_numpy(np.transpose(scaled, (3, 0, 1, 2))).float(), torch.tensor(order)

    def _cut(self, frames: Video) -> Video:
        room = len(frames) - self.frames
        begin = int(self.random.integers(room)) if room > 0 else 0
        clip = frames[begin : begin + self.frames]
        return np.pad(clip, ((0, self.frames - len(clip)), (0, 0), (0, 0), (0, 0)))

    def _augmented(self, clip: Video) -> Video:
        _, height, width, _ = clip.shape
        padded = np.pad(clip, ((0, 0), (PAD, PAD), (PAD, PAD), (0, 0)))
        top, left = self.random.integers(0, 2 * PAD, 2)
        clip = padded[:, top : top + height, left : left + width]
        if self.random.random() > 0.5:
            clip = np.stack([cv2.flip(frame, 1) for frame in clip])
        if self.random.random() > 0.5:
            angle = int(self.random.integers(-DEGREES, DEGREES + 1))
            clip = np.stack([rotate(frame, angle, reshape=False) for frame in clip])
        return clip


class ReleasedPretraining:
    """A loop over a torch DataLoader."""

    def __init__(
        self, clips: Clips, pairs: Sequence[tuple[Path, Path]], device: torch.device, workers: int
    ) -> None:
        self.clips, self.pairs, self.device, self.workers = clips, pairs, device, workers
        encoder = video.r3d_18(weights=None)
        encoder.fc = nn.Identity()
        projector = nn.Sequential(nn.Linear(512, 256, bias=False), nn.ReLU(), nn.Linear(256, 128, bias=False))
        orders = nn.Linear(512, len(list(permutations(range(clips.frames)))))
        self.net = nn.ModuleList([encoder, projector, orders]).to(device)
        self.contrast = NTXentLoss(temperature=0.05)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=RATE)

    def seconds_a_step(self, least_steps: int) -> float:
        """Seconds a step of an epoch; where workers have started, from their first batch on."""
        steps = max(least_steps, 2 * self.workers)
        shown = Pairs(self.pairs, self.clips.frames, steps * self.clips.batch, load_video)
        loader: DataLoader[Any] = DataLoader(
            shown, self.clips.batch, shuffle=True, drop_last=True, num_workers=self.workers
        )
        batches = iter(loader)
        ready = [next(batches)] if self.workers else []
        finish(self.device)
        began = time.perf_counter()
        for batch in itertools.chain(ready, batches):
            self._step(*(each.to(self.device) for each in batch))
        finish(self.device)
        return (time.perf_counter() - began) / steps

    def _step(self, first: Tensor, second: Tensor, *orders: Tensor) -> None:
        encoder, projector, order_head = self.net
        one, two = encoder(first), encoder(second)
        told = torch.cat([order_head(one), order_head(two)])
        loss = self.contrast(projector(one), projector(two)) + functional.cross_entropy(
            told, torch.cat(orders)
        )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


class ReleasedFinetuning:
    """R3D-18 of three channels and a logit on clips that are there already, in float32."""

    def __init__(self, clips: Clips, device: torch.device) -> None:
        grey = torch.rand(clips.batch, 1, clips.frames, clips.side, clips.side, device=device)
        self.clips = grey.expand(-1, 3, -1, -1, -1).contiguous()
        self.net: nn.Module = video.r3d_18(weights=None)
        self.net.fc = nn.Sequential(nn.Linear(512, 1), nn.Dropout(0.25))
        self.net.to(device)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=RATE)

    def step(self) -> None:
        """Forward, backward, and a step of the optimiser."""
        self.optimiser.zero_grad()
        torch.autograd.backward(functional.softplus(self.net(self.clips)).mean())
        self.optimiser.step()
