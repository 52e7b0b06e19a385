"""A network ready to be fine-tuned: settings come in; it has the weights they name, and a card says whose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch

from apical.backbones.base import BackboneConfig
from apical.encoders import backbone_from
from apical.networks.base import Network, NetworkConfig, network_from
from apical.run import Run
from apical.tasks.base import TaskConfig
from apical.weights import WeightsCard, start_weights

__all__ = ["Wishes", "start_network"]


class Wishes(Protocol):
    """The settings that say what network it is."""

    init: str

    @property
    def task(self) -> TaskConfig:
        """What it is for."""

    @property
    def network(self) -> NetworkConfig:
        """The decoder's settings."""

    @property
    def backbone(self) -> BackboneConfig:
        """The encoder's settings."""


def start_network(wishes: Wishes, num_outputs: int, *, goes_on: bool = False) -> tuple[Network, WeightsCard]:
    """The network with its first weights; a run that goes on has its own put in later, and needs no others.

    The decoder of a fine-tuned run is taken too, if it is of the same kind and tells the same things apart.
    """
    backbone = backbone_from(wishes.backbone)
    network = network_from(wishes.network, wishes.backbone, backbone, num_outputs)
    if goes_on:
        return network, start_weights(backbone, wishes.backbone, "random")
    card = start_weights(backbone, wishes.backbone, wishes.init)
    whole = _whole_network(wishes)
    if whole is None:
        return network, card
    network.load_state_dict(whole)
    return network, replace(card, num_tensors=len(whole))


def _whole_network(wishes: Wishes) -> dict[str, torch.Tensor] | None:
    """The tensors of a run's whole network, where the run is one of the same network and task."""
    folder = Path(wishes.init)
    if not (folder / "run.json").is_file():
        return None
    run = Run.open(folder)
    mine: dict[str, Any] = {
        "task": wishes.task.model_dump(mode="json"),
        "network": wishes.network.model_dump(mode="json"),
    }
    is_same = run.card.stage == "finetune" and all(
        run.config[key].get(inner) == value
        for key, settings in mine.items()
        for inner, value in settings.items()
        if inner in ("name", "structures", "head", "widths")
    )
    return run.weights() if is_same else None
