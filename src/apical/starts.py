"""A network ready to be fine-tuned: settings come in; it has the weights they name, and a card says whose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from apical.backbones.base import BackboneConfig
from apical.encoders import BACKBONE, backbone_from
from apical.networks.base import Network, NetworkConfig, network_from
from apical.run import Run
from apical.tasks.base import TaskConfig
from apical.weights import WeightsCard, start_weights

__all__ = ["Wishes", "backbone_of_start", "start_network"]

ALIKE = ("name", "structures", "head")
"""Settings of a task and a network that must be the same for a decoder to mean the same."""


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


def backbone_of_start(init: str, known: Mapping[str, Any]) -> Any:
    """The settings of the backbone of the run that training starts from, if it does from one.

    Settings that were known for that very start, as those of a run that is repeated or resumed are, stay as they are.
    """
    if not (Path(init) / "run.json").is_file():
        return None
    if known.get("init") == init and "backbone" in known:
        return known["backbone"]
    return Run.open(Path(init)).config.get("backbone")


def start_network(wishes: Wishes, num_outputs: int, *, goes_on: bool = False) -> tuple[Network, WeightsCard]:
    """The network with its first weights; a run that goes on has its own put in later, and needs no others.

    The decoder of a fine-tuned run is taken too, if it is of the same kind and tells the same things apart.
    """
    backbone = backbone_from(wishes.backbone)
    network = network_from(wishes.network, wishes.backbone, backbone, num_outputs)
    if goes_on:
        return network, start_weights(backbone, wishes.backbone, "random")
    card = start_weights(backbone, wishes.backbone, wishes.init)
    decoder = _decoder(wishes, network)
    network.load_state_dict({**network.state_dict(), **decoder})
    return network, replace(card, num_tensors=card.num_tensors + len(decoder))


def _decoder(wishes: Wishes, network: Network) -> dict[str, Tensor]:
    """The tensors of a run's decoder, where the run is one of the same network and task; else none."""
    folder = Path(wishes.init)
    if not (folder / "run.json").is_file():
        return {}
    run = Run.open(folder)
    mine: dict[str, Any] = {
        "task": wishes.task.model_dump(mode="json"),
        "network": wishes.network.model_dump(mode="json"),
    }
    is_same = run.card.stage == "finetune" and all(
        run.config[key].get(inner) == value
        for key, settings in mine.items()
        for inner, value in settings.items()
        if inner in ALIKE
    )
    theirs = _without_backbone(run.weights()) if is_same else {}
    own = _without_backbone(network.state_dict())
    fits = {name: each.shape for name, each in theirs.items()} == {
        name: each.shape for name, each in own.items()
    }
    return theirs if fits else {}


def _without_backbone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(BACKBONE)}
