"""A dense contrast, for segmentation: a cell of one view is to be told from the image's other cells in another view.

Why by place, and within one image: echo views put every heart's chambers at about the same spot, so that the cells of
other patients are no negatives, and speckle looks alike everywhere, so that matches by appearance (as in DenseCL) are
unreliable. But where a cell lies in the source frame is known exactly. So a cell's positive is what the other view
shows at the same place (as in PixContrast and VICRegL), and its negatives are cells of the same image further off than
`radius`. A contrast of whole images, as in SimCLR, keeps what tells patients apart; it has a small weight, since it
works against the cells.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.config import PieceConfig
from apical.errors import ApicalError
from apical.gathering import mean_over_processes
from apical.methods._contrast import nt_xent
from apical.methods._correspondence import Cells, cells_of
from apical.methods._pair_views import pair_of
from apical.methods._projector import projector
from apical.methods._spread import spread
from apical.methods.base import Losses, Method
from apical.moment import Moment

__all__ = ["Dense", "DenseConfig"]

EXACT = "donot_use_mm_for_euclid_dist"
"""How to take distances: the quick way rounds those near 0."""


class DenseConfig(PieceConfig):
    """Settings of the dense contrast."""

    name: Literal["dense"] = "dense"
    hidden_features: int = Field(default=512, gt=0)
    """Features between the projectors' layers."""
    projected_features: int = Field(default=128, gt=0)
    """Features that are contrasted."""
    temperature: float = Field(default=0.1, gt=0)
    """What similarities of cells are divided by."""
    radius: float = Field(default=0.1, ge=0)
    """Cells at least this far from each other, as a share of the source frame's side, are negatives."""
    cells: int | None = Field(default=64, gt=0)
    """Cells a view, drawn anew each step, those that the other view holds first; null takes all."""
    global_weight: float = Field(default=0.1, ge=0)
    """How much the contrast of whole images counts beside that of cells; much of it makes cells more alike."""
    global_temperature: float = Field(default=0.1, gt=0)
    """What similarities of whole images are divided by."""


class Dense(Method):
    """A contrast of cells by their place, and of whole images, both on two views."""

    Config = DenseConfig
    config: DenseConfig

    def __init__(self, config: DenseConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        widths = backbone.num_features, config.hidden_features, config.projected_features
        self.cell_projector = cell_projector(*widths)
        self.projector = projector(widths, norm=True, last_bias=False)

    def loss(self, batch: Batch, moment: Moment) -> Losses:
        """Both contrasts, their weighted sum, the cells' spread, and the share of cells that both views show."""
        del moment
        features = self.backbone(torch.cat(pair_of(batch)))
        if features.map.ndim != 4:
            raise ApicalError(
                "The dense contrast looks at images, not at clips",
                seen=f"maps of {features.map.ndim - 2} axes",
                remedy="Sample single frames, or take another method, such as simclr.",
            )
        warps = batch.warps["pair"]
        one, two = self.cell_projector(features.map).float().chunk(2)
        pair = cells_of(one, two, *warps), cells_of(two, one, *reversed(warps))
        first, second = (cells.drawn(self.config.cells) for cells in pair)
        dense = (self._contrast(first, second) + self._contrast(second, first)) / 2
        projected = self.projector(features.vector)
        whole = nt_xent(projected, self.config.global_temperature, batch.patients).loss
        return {
            "loss": dense + self.config.global_weight * whole,
            "dense": dense.detach(),
            "global": whole.detach(),
            "spread": spread(torch.cat([first.points, second.points]).flatten(0, 1)),
            "matched": torch.cat([cells.is_matched for cells in pair]).float().mean(),
        }

    def _contrast(self, cells: Cells, others: Cells) -> Tensor:
        scores = place_scores(cells, others, self.config.radius) / self.config.temperature
        return info_nce(scores, cells.is_matched)


def cell_projector(features: int, hidden: int, projected: int) -> nn.Sequential:
    """The same small perceptron for every cell: maps (B, features, h, w) to (B, projected, h, w)."""
    return nn.Sequential(
        nn.Conv2d(features, hidden, 1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, projected, 1, bias=False),
    )


def place_scores(cells: Cells, others: Cells, radius: float) -> Tensor:
    """(B, N, 1 + N + M): how like its partner a cell is, then how like each cell; -inf for those within `radius`."""
    places = torch.cat([cells.places, others.places], dim=1)
    is_near = torch.cdist(cells.places, places, compute_mode=EXACT) <= 2 * radius
    points = torch.cat([cells.points, others.points], dim=1)
    with torch.autocast(points.device.type, enabled=False):
        negatives = (cells.points @ points.mT).masked_fill(is_near, -torch.inf)
    return torch.cat([(cells.points * cells.partners).sum(dim=2, keepdim=True), negatives], dim=2)


def info_nce(scores: Tensor, is_matched: Tensor) -> Tensor:
    """The mean over matched cells of how unlikely the first score is; 0, and so are its gradients, where none is."""
    losses = -scores.log_softmax(dim=2)[:, :, 0]
    count = mean_over_processes(is_matched.sum().float()).clamp(min=1)
    return torch.where(is_matched, losses, 0).sum() / count
