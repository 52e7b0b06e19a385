"""Encoders ready for use: a run comes in, its backbone with its weights goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from apical import registry
from apical.backbones.base import Backbone
from apical.config import PieceConfig
from apical.errors import ApicalError
from apical.run import Run

__all__ = ["backbone_from", "backbone_weights", "encoder_of"]

BACKBONE = "backbone."


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
    tensors = run.weights(which)
    own = {name.removeprefix(BACKBONE): tensors[name] for name in tensors if name.startswith(BACKBONE)}
    try:
        backbone.load_state_dict(own)
    except RuntimeError:
        raise ApicalError(
            f"The '{which}' weights of this run do not fit its own settings",
            where=str(run.folder),
            remedy="Train again: its files were mixed with another run's.",
        ) from None
    return backbone.eval()
