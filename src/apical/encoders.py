"""Encoders ready for use: a run comes in, its backbone with its weights goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from torch import Tensor, nn

from apical import registry
from apical.backbones.base import Backbone
from apical.config import PieceConfig
from apical.errors import ApicalError
from apical.run import Run

__all__ = ["backbone_from", "backbone_weights", "encoder_of", "with_weights"]

BACKBONE = "backbone."
Module = TypeVar("Module", bound=nn.Module)


def backbone_from(config: PieceConfig) -> Backbone:
    """A backbone with weights drawn from torch's generator."""
    backbone: Backbone = registry.load("backbones", config.name)(config)
    return backbone


def backbone_weights(backbone: Backbone) -> dict[str, Tensor]:
    """Its tensors by the names they have in a run's checkpoints."""
    return {BACKBONE + name: tensor for name, tensor in backbone.state_dict().items()}


def encoder_of(run: Run, which: Literal["last", "best"] = "best") -> Backbone:
    """The backbone that a run trained, in evaluation mode."""
    settings: Mapping[str, object] = run.config["backbone"]
    kind = registry.load("backbones", str(settings["name"]))
    backbone: Backbone = kind(kind.Config.model_validate(settings))
    return with_weights(backbone, run, which, BACKBONE).eval()


def with_weights(module: Module, run: Run, which: Literal["last", "best"], below: str = "") -> Module:
    """The module with the run's own tensors whose names begin with `below`: all of them, and no others."""
    tensors = run.weights(which)
    own = {name.removeprefix(below): tensor for name, tensor in tensors.items() if name.startswith(below)}
    try:
        module.load_state_dict(own)
    except RuntimeError:
        raise ApicalError(
            f"The '{which}' weights of this run do not fit its own settings",
            where=str(run.folder),
            remedy="Train again: its files were mixed with another run's.",
        ) from None
    return module
