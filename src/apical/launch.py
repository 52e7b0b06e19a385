"""Where a training job runs: what a user asks for and what launched us come in; a Fabric that has started goes out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field

from apical.config import Config
from apical.errors import ApicalError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Placement", "device_named", "start"]


class Placement(Config):
    """On what a job runs."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """The kind of device; auto takes cuda where there is one, else the processor."""
    devices: int = Field(default=1, gt=0)
    """Devices, and processes, on each node."""
    nodes: int = Field(default=1, gt=0)
    """Machines: start the same command on each, or use torchrun or srun."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How several processes share a batch; auto takes ddp when there are several."""


def start(placement: Placement) -> Fabric:
    """A Fabric on the devices that `placement`, or torchrun, names; with several, this starts the other processes."""
    from lightning_fabric import Fabric

    device = device_named(placement.device).type
    devices, nodes = _world(placement)
    strategy = "ddp" if placement.strategy == "ddp" or devices * nodes > 1 else "auto"
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=nodes, strategy=strategy)
    fabric.launch()
    return fabric


def device_named(word: str) -> torch.device:
    """The device of a kind that a user names; auto takes cuda where there is one, else the processor."""
    if word == "auto":
        word = "cuda" if torch.cuda.is_available() else "cpu"
    if word != "cpu" and not _has(word):
        raise ApicalError(f"This machine has no {word} device", remedy="Take device=auto or device=cpu.")
    return torch.device(word)


def _world(placement: Placement) -> tuple[int, int]:
    """Devices a node and nodes: torchrun's word goes before the settings."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        on_this_node = int(os.environ["LOCAL_WORLD_SIZE"])
        return on_this_node, int(os.environ["WORLD_SIZE"]) // on_this_node
    return placement.devices, placement.nodes


def _has(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_available()
    return device == "mps" and torch.backends.mps.is_available()
