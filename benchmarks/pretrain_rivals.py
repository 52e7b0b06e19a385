"""What ours is measured against: lightly's SimCLR example, and a plain loop as papers' own code has it.

Both get their frames from memory, as three-channel PIL images, and so are spared reading and decoding files.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torchvision
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms.simclr_transform import SimCLRTransform
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from pretrain_meter import finish
from pretrain_ours import Case, blur_reach

__all__ = ["Rival", "lightly_transform", "paper_transform", "torchvision_transform"]

Transform = Callable[[Image.Image], Sequence[Any]]
SIGMA = (0.1, 2.0)


def lightly_transform(size: int) -> Transform:
    """Two views as lightly makes them."""
    return SimCLRTransform(input_size=size)


def torchvision_transform(size: int) -> Transform:
    """Two views of Saeed et al. 2022, all of it torchvision's."""
    return _Twice(_saeed(size, transforms.GaussianBlur(blur_reach(size), SIGMA)))


def paper_transform(size: int) -> Transform:
    """Two views of Saeed et al. 2022; OpenCV blurs, as in the library that their code built on."""
    return _Twice(_saeed(size, _OpenCVBlur(blur_reach(size))))


def _saeed(size: int, blur: Callable[[Any], Any]) -> Callable[[Image.Image], Tensor]:
    made: Callable[[Image.Image], Tensor] = transforms.Compose(
        [
            transforms.RandomResizedCrop(size, scale=(0.08, 1.0)),
            transforms.RandomHorizontalFlip(p=0.5),
            transforms.RandomApply([transforms.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
            transforms.RandomGrayscale(p=0.2),
            transforms.RandomApply([blur], p=0.5),
            transforms.ToTensor(),
        ]
    )
    return made


class _Twice:
    def __init__(self, transform: Callable[[Image.Image], Tensor]) -> None:
        self.transform = transform

    def __call__(self, image: Image.Image) -> list[Tensor]:
        return [self.transform(image), self.transform(image)]


class _OpenCVBlur:
    def __init__(self, reach: int) -> None:
        self.reach = reach

    def __call__(self, image: Image.Image) -> npt.NDArray[Any]:
        sigma = SIGMA[0] + (SIGMA[1] - SIGMA[0]) * float(torch.rand(()))
        return cv2.GaussianBlur(np.asarray(image), (self.reach, self.reach), sigma)


class Photographs(torch.utils.data.Dataset[Sequence[Tensor]]):
    """Views of frames (N, H, W), taken for colour photographs; it begins again when all were shown."""

    def __init__(self, frames: npt.NDArray[np.uint8], transform: Transform, count: int) -> None:
        self.frames, self.transform, self.count = frames, transform, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sequence[Tensor]:
        if index >= self.count:
            raise IndexError(index)
        frame = self.frames[index % len(self.frames)]
        return self.transform(Image.fromarray(frame).convert("RGB"))


class SimCLR(nn.Module):
    """The model of lightly's example."""

    def __init__(self, name: str) -> None:
        super().__init__()
        resnet = torchvision.models.get_model(name)
        features = resnet.fc.in_features
        self.backbone = nn.Sequential(*list(resnet.children())[:-1])
        self.projection_head = SimCLRProjectionHead(features, features, 128)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings (B, 128)."""
        embeddings: Tensor = self.projection_head(self.backbone(images).flatten(start_dim=1))
        return embeddings


class Rival:
    """Lightly's loop in float32 over a torch DataLoader."""

    def __init__(
        self,
        case: Case,
        frames: npt.NDArray[np.uint8],
        device: torch.device,
        transform: Transform,
        workers: int,
    ) -> None:
        self.case, self.frames, self.device = case, frames, device
        self.transform, self.workers = transform, workers
        self.model = SimCLR(case.backbone["name"]).to(device)
        self.criterion = NTXentLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.06)

    def seconds_a_step(self, least_steps: int) -> float:
        """Seconds a step of an epoch, from where the workers have started to where all batches are used up.

        An epoch asks twice as many batches as there are workers, or more, so that what they made before
        the clock ran counts for little.
        """
        steps = max(least_steps, 2 * self.workers)
        photographs = Photographs(self.frames, self.transform, steps * self.case.batch)
        batches: Iterator[Sequence[Tensor]] = iter(
            DataLoader(photographs, self.case.batch, shuffle=True, drop_last=True, num_workers=self.workers)
        )
        ready = [next(batches)] if self.workers else []
        finish(self.device)
        began = time.perf_counter()
        for views in itertools.chain(ready, batches):
            self._step(views)
        finish(self.device)
        return (time.perf_counter() - began) / steps

    def _step(self, views: Sequence[Tensor]) -> None:
        first, second = (self.model(view.to(self.device)) for view in views)
        loss = self.criterion(first, second)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def make_views(frames: npt.NDArray[np.uint8], transform: Transform, count: int) -> None:
    """Make the views of `count` images, one by one, and leave it at that."""
    photographs = Photographs(frames, transform, count)
    for index in range(count):
        photographs[index]
