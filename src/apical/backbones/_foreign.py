"""Weights that others made: a file comes in, its tensors by the names of the bare net go out; colour becomes grey."""

from __future__ import annotations

import argparse
import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from apical.checkpoint import read_tensors
from apical.errors import ApicalError

__all__ = ["IMAGENET", "Published", "Scale", "bare_net", "grey_stem", "read_foreign"]

WRAPPERS = ("teacher", "student", "state_dict", "model")
"""Where training checkpoints keep their weights, the best place first: DINO itself evaluates the teacher."""
HEADS = ("fc.", "head.", "heads.", "classifier.", "projector.", "projection_head.", "predictor.")
UNREADABLE = (
    *(pickle.UnpicklingError, struct.error, OSError, EOFError, RuntimeError, AssertionError),
    *(ValueError, LookupError, TypeError, AttributeError),
)
"""What torch raises on files that are broken or something else: found by breaking files."""


class Scale(NamedTuple):
    """What the makers of weights took from each colour channel of [0, 1], and divided it by."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def grey(self) -> tuple[float, float]:
        """One mean and one deviation for all channels."""
        return sum(self.mean) / len(self.mean), sum(self.std) / len(self.std)


IMAGENET = Scale((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Published:
    """Weights that anyone can fetch."""

    name: str
    licence: str
    url: str
    """Where the file is, for fetching it by hand."""
    fetch: Callable[[], Path]
    """Fetches the file, or finds it where it was fetched before; an `OSError` says that it can't."""


def read_foreign(path: Path) -> dict[str, Any]:
    """What a .safetensors, .pth or .pt file holds; nothing in it is run."""
    if path.suffix == ".safetensors":
        return dict(read_tensors(path)[0])
    if not path.is_file():
        raise ApicalError("There is no such file of weights", where=str(path), remedy="Check the path.")
    # DINO's own checkpoints hold their command line: a Namespace, which is but a bag of plain values.
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            held = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE:
        held = None
    if not isinstance(held, dict):
        raise ApicalError(
            "This is no file of plain weights, and nothing else in it is opened, since it may run code",
            where=str(path),
            remedy="Where it was made, save its state dict alone: as safetensors, or by torch.save.",
        )
    return held


def bare_net(held: Mapping[str, Any]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors of the net without its wrappers' names and without heads, and the names of those heads."""
    inner = next((held[key] for key in WRAPPERS if isinstance(held.get(key), Mapping)), held)
    named = {str(name): value for name, value in inner.items() if isinstance(value, Tensor)}
    plain = {name.removeprefix("module.").removeprefix("backbone."): tensor for name, tensor in named.items()}
    net = {name: tensor for name, tensor in plain.items() if not name.startswith(HEADS)}
    return net, tuple(sorted({name.split(".")[0] for name in plain.keys() - net.keys()}))


def grey_stem(
    tensors: Mapping[str, Tensor], scale: Scale, *, conv: str, absorber: str, sign: int
) -> dict[str, Tensor]:
    """The tensors with a stem for one grey channel, and the scale it wants as `input_mean` and `input_std`.

    A grey image in all three channels, put to `scale`, gave what it gives now. The channels' means differ, which
    shifts every output by a constant: `absorber` (the next norm's running mean, or with sign -1 the stem's bias)
    takes it. Where the stem pads, a part of the constant is missing, so the outermost places are a little off.
    """
    weight = tensors.get(conv)
    is_stem = weight is not None and weight.ndim in (4, 5) and weight.shape[1] == len(scale.mean)
    if weight is None or not is_stem or absorber not in tensors:
        return dict(tensors)
    mean, std = scale.grey
    std_of = torch.tensor(scale.std, dtype=torch.float64)
    exact = weight.double() / std_of.view(1, -1, *[1] * (weight.ndim - 2))
    apart = torch.tensor(scale.mean, dtype=torch.float64) - mean
    shift = exact.flatten(2).sum(dim=2) @ apart
    return {
        **tensors,
        conv: (exact.sum(1, keepdim=True) * std).float(),
        absorber: (tensors[absorber].double() + sign * shift).float(),
        "input_mean": torch.tensor(mean),
        "input_std": torch.tensor(std),
    }
