"""Frames by clip and number: a dataset comes in; the pixels of any frames go out, fast, on the training device.

They are read from the dataset's file as they are asked for, or from a copy of what is needed, in memory or on
the device.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from apical.dataset import Dataset
from apical.errors import ApicalError

__all__ = ["FrameStore", "Where"]

Where = Literal["auto", "disk", "ram", "device"]
Indices = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


class FrameStore:
    """Frames of some clips. A clip is meant by its row in the table that the store was opened with."""

    def __init__(self, clips: pl.DataFrame, shelf: _Shelf, starts: Indices, device: torch.device) -> None:
        self.num_frames: Indices = clips["num_frames"].to_numpy()
        """(clips,): how many frames each clip has."""
        self.device = device
        self._shelf = shelf
        self._starts = starts

    @classmethod
    def open(
        cls, dataset: Dataset, clips: pl.DataFrame, where: Where = "auto", device: torch.device | str = "cpu"
    ) -> FrameStore:
        """A store for `clips`, rows of `dataset.usable_clips`.

        `disk` reads frames as they are asked for (the operating system keeps what fits in memory, once for all
        processes), `ram` and `device` copy the clips first; `auto` takes the device when less than half of its
        free memory is needed, else the disk.
        """
        device = torch.empty(0, device=device).device  # with its number, which threads may not agree on
        height, width = dataset.frame_size
        _check_length(dataset)
        lengths = clips["num_frames"].to_numpy()
        where = _settled(where, device, int(lengths.sum()) * height * width)
        if where == "disk":
            starts = clips["offset"].to_numpy() // (height * width)
            return cls(clips, _Disk.open(dataset, height, width, device), starts, device)
        copy = torch.empty(
            (int(lengths.sum()), height, width), dtype=torch.uint8, device="cpu" if where == "ram" else device
        )
        starts = np.cumsum(lengths) - lengths
        for clip, start, length in zip(clips["clip"], starts.tolist(), lengths.tolist(), strict=True):
            copy[start : start + length] = torch.from_numpy(dataset.clip_frames(clip).copy())
        shelf = _Host(copy.numpy(), device) if where == "ram" else _OnDevice(copy)
        return cls(clips, shelf, starts, device)

    def gather(self, clips: Indices, frames: Indices) -> Tensor:
        """The frames `frames` (B, V, T) of `clips` (B, V): uint8 (B, V, T, H, W) on the device."""
        return self.deliver(self.stage(clips, frames))

    def stage(self, clips: Indices, frames: Indices) -> Tensor:
        """What of `gather` can be done in another thread, ahead of time: all but the device's own work."""
        assert ((frames >= 0) & (frames < self.num_frames[clips][..., None])).all()
        return self._shelf.stage(self._starts[clips][..., None] + frames)

    def deliver(self, staged: Tensor) -> Tensor:
        """The rest of `gather`."""
        return self._shelf.deliver(staged)

    def plain_images(self, clips: Indices, frames: Indices, size: int | tuple[int, int]) -> Tensor:
        """Whole frames, not augmented, scaled to `size`, a side or height and width: float32 in [0, 1], (B, 1, H, W).

        `clips` is (B,), `frames` (B,), or (B, T) for clips (B, 1, T, H, W).
        """
        height, width = (size, size) if isinstance(size, int) else size
        sources = self.gather(clips[:, None], frames.reshape(len(clips), 1, -1))[:, 0]
        images = functional.interpolate(
            sources.float() / 255, (height, width), mode="bilinear", antialias=True
        )
        return images.reshape(len(clips), 1, *frames.shape[1:], height, width)


class _Shelf(Protocol):
    """Where frames lie, one after the other."""

    def stage(self, places: Indices) -> Tensor: ...

    def deliver(self, staged: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class _Host:
    """Frames (N, H, W) in memory: staged as pixels."""

    pixels: Pixels
    device: torch.device

    def stage(self, places: Indices) -> Tensor:
        shape = (*places.shape, *self.pixels.shape[1:])
        # torch keeps pinned memory and gives it out again only when the copy to the device is through
        staged = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        np.take(self.pixels, places, axis=0, out=staged.numpy(), mode="clip")  # other modes copy twice
        return staged

    def deliver(self, staged: Tensor) -> Tensor:
        return staged.to(self.device, non_blocking=True)


@dataclass(frozen=True)
class _Disk(_Host):
    """Frames in a mapped file: the system is told which ones are coming, so that it fetches them side by side.

    Left to itself it fetches one after the other, each with its surroundings: over ten times slower on a cold file.
    """

    file: mmap.mmap

    @classmethod
    def open(cls, dataset: Dataset, height: int, width: int, device: torch.device) -> _Disk:
        with (dataset.folder / "frames.u8").open("rb") as opened:
            file = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        file.madvise(mmap.MADV_RANDOM)
        count = len(file) // (height * width) * (height * width)
        pixels = np.frombuffer(file, np.uint8, count).reshape(-1, height, width)
        return cls(pixels, device, file)

    def stage(self, places: Indices) -> Tensor:
        size = self.pixels[0].size
        for begin in (places.ravel() * size).tolist():
            page = begin - begin % mmap.PAGESIZE
            self.file.madvise(mmap.MADV_WILLNEED, page, begin + size - page)
        return super().stage(places)


@dataclass(frozen=True)
class _OnDevice:
    """Frames (N, H, W) on the device: staged as places."""

    pixels: Tensor

    def stage(self, places: Indices) -> Tensor:
        return torch.from_numpy(places)

    def deliver(self, staged: Tensor) -> Tensor:
        places = staged.to(self.pixels.device).flatten()
        return self.pixels.index_select(0, places).reshape(*staged.shape, *self.pixels.shape[1:])


def _check_length(dataset: Dataset) -> None:
    ends = pl.col("offset") + pl.col("num_frames") * pl.col("height") * pl.col("width")
    needed = int(dataset.usable_clips.select(ends.max()).item())
    if dataset.frames.size < needed:
        raise ApicalError(
            "The file of frames is shorter than the table of clips says",
            where=str(dataset.folder / "frames.u8"),
            seen=f"{dataset.frames.size} bytes instead of {needed}",
            remedy="Copy the dataset again, or run 'apical ingest' again.",
        )


def _settled(where: Where, device: torch.device, num_bytes: int) -> Where:
    if where != "auto":
        return where
    return "device" if num_bytes < _free_bytes(device) / 2 else "disk"


def _free_bytes(device: torch.device) -> int:
    """Memory that is free on an accelerator; none where it can't be told, and on the CPU."""
    tell = getattr(torch.get_device_module(device), "mem_get_info", None)
    return int(tell(device)[0]) if tell else 0
