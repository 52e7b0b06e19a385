"""Models ready for use: a fine-tuned run comes in; its network, its task and the size it works at go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from apical import registry
from apical.backbones.base import BackboneConfig
from apical.encoders import backbone_from, with_weights
from apical.errors import ApicalError
from apical.layout import channels_last
from apical.networks.base import Network, NetworkConfig, network_from
from apical.precision import Precision, autocast
from apical.run import Run
from apical.sight import sight_of
from apical.tasks.base import FittedTask, Task, TaskConfig, TrainedTask

__all__ = ["Model", "model_of"]


@dataclass(frozen=True)
class Model:
    """What a run has learnt."""

    network: nn.Module
    task: Task
    size: tuple[int, int]
    """Height and width of the images it works on."""
    precision: Precision = "auto"

    def beliefs(self, images: Tensor) -> Tensor:
        """What the task believes of images (B, 1, H, W) of its size, float32 in [0, 1]."""
        return self.task.beliefs(self.outputs(images))

    @torch.inference_mode()
    def outputs(self, images: Tensor) -> Tensor:
        """What the network says of them, which the task reads."""
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with autocast(self.precision, images.device):
            outputs: Tensor = self.network(images)
        return outputs.float()


def model_of(
    run: Run,
    which: Literal["last", "best"] = "best",
    device: torch.device | str = "cpu",
    precision: Precision = "auto",
) -> Model:
    """The network that a run trained, in evaluation mode, on a device."""
    if run.card.stage != "finetune":
        raise ApicalError(
            f"This run has learnt no task: it is of 'apical {run.card.stage}'",
            where=str(run.folder),
            remedy="Name a run of 'apical finetune'; to make one from this: apical finetune TASK --init RUN.",
        )
    settings = run.config
    task: Task = registry.load("tasks", settings["task"]["name"])(_config("tasks", settings["task"]))
    network: nn.Module
    if isinstance(task, FittedTask):
        network = sight_of(run, parcels=task.needs_parcels, which=which)
    else:
        assert isinstance(task, TrainedTask)
        network = _network(run, task, which)
    task.load(run.folder)
    channels_last(network.eval().requires_grad_(False).to(device))
    height, width = settings["size"]
    return Model(network, task, (height, width), precision)


def _network(run: Run, task: TrainedTask, which: Literal["last", "best"]) -> Network:
    settings = run.config
    backbone_config = _config("backbones", settings["backbone"])
    assert isinstance(backbone_config, BackboneConfig)
    config = _config("networks", settings["network"])
    assert isinstance(config, NetworkConfig)
    network = network_from(config, backbone_config, backbone_from(backbone_config), task.num_outputs)
    return with_weights(network, run, which)


def _config(folder: str, settings: Mapping[str, Any]) -> TaskConfig | BackboneConfig | NetworkConfig:
    config: TaskConfig | BackboneConfig | NetworkConfig
    config = registry.load(folder, settings["name"]).Config.model_validate(settings)
    return config
