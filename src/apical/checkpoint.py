"""Checkpoints: tensors and a few plain values go into one safetensors file, whole or not at all, and come out again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from apical.errors import ApicalError, MachineError
from apical.whole import whole_file

__all__ = [
    "optimiser_state",
    "read_about",
    "read_tensors",
    "restore_optimiser",
    "sync_folder",
    "write_tensors",
]

ABOUT = "apical"
OPTIMISER = "optimiser"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, and what `about` says of them, so that a kill at any instant leaves the old file or the new."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with whole_file(path) as part:
            part.touch()
            mode = part.stat().st_mode  # as files are made here; the library lets nobody else read them
            save_file(plain, part, metadata={ABOUT: json.dumps(about)})
            part.chmod(mode)
            _flush_to_disk(part)
        sync_folder(path.parent)
    except SafetensorError as error:
        raise MachineError(
            "This can't be written to",
            where=str(path),
            seen=str(error),
            remedy="Free some space or mend its rights, and run the same command again with --resume.",
        ) from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file (on the CPU) and what it says of them."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (OSError, SafetensorError, json.JSONDecodeError):
        raise _unreadable(path) from None


def read_about(path: Path) -> dict[str, Any]:
    """What a file says of its tensors, without reading them."""
    try:
        with safe_open(path, framework="pt") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
            return about
    except (OSError, SafetensorError, json.JSONDecodeError):
        raise _unreadable(path) from None


def optimiser_state(optimiser: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as named tensors, and the rest of it as plain values."""
    state = optimiser.state_dict()
    tensors: dict[str, Tensor] = {}
    plain: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{OPTIMISER}.{index}.{name}"] = value
            else:
                plain.setdefault(str(index), {})[name] = value
    return tensors, {"groups": state["param_groups"], "plain": plain}


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
    """Put back what `optimiser_state` took; `tensors` may hold others too."""
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in rest["plain"].items()}
    for name, tensor in tensors.items():
        kind, _, place = name.partition(".")
        if kind == OPTIMISER:
            index, _, entry = place.partition(".")
            state.setdefault(int(index), {})[entry] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": rest["groups"]})
    _lay_out_as_parameters(optimiser)


def _lay_out_as_parameters(optimiser: Optimizer) -> None:
    """Give moments the memory format of their weights again: mixed formats are slow, though no less exact."""
    for parameter, entries in optimiser.state.items():
        for name, value in entries.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                entries[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """See that a rename in `folder` outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unreadable(path: Path) -> ApicalError:
    if not path.exists():
        return ApicalError("There is no such file of weights", where=str(path), remedy="Check the path.")
    return ApicalError(
        "This is no whole safetensors file",
        where=str(path),
        remedy="Copy it again, or train again: other formats are not read, since they may run code.",
    )
