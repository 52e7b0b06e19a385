"""Which cells of two views show the same place: their maps and warps come in, cells with partners go out.

A place is (x, y), from -1 to 1 over the outer edges of the pixels of a view, or of a source frame.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Cells", "cell_places", "cells_of", "is_inside", "sampled", "to_source", "to_view"]


class Cells(NamedTuple):
    """Cells of a view; points are of length 1."""

    places: Tensor
    """(B, N, 2): where they lie in the source frame."""
    points: Tensor
    """(B, N, D): what the view's map holds there."""
    partners: Tensor
    """(B, N, D): what the other view's map holds at the same place of the source frame."""
    is_matched: Tensor
    """(B, N): whether the source frame has that place, and the other view shows it."""

    def drawn(self, count: int | None) -> Cells:
        """So many of each image's cells at random, those with a partner first; all when null."""
        total = self.is_matched.shape[1]
        if count is None or count >= total:
            return self
        order = torch.rand(self.is_matched.shape).to(self.is_matched.device) + self.is_matched
        chosen = order.topk(count, dim=1).indices
        rows = torch.arange(len(chosen), device=chosen.device)[:, None]
        return Cells(*(part[rows, chosen] for part in self))


def cells_of(maps: Tensor, others: Tensor, warp: Tensor, other_warp: Tensor) -> Cells:
    """All cells of maps (B, D, h, w), with their partners in the other view's maps."""
    height, width = maps.shape[2:]
    places = to_source(cell_places(height, width, maps.device), warp)
    elsewhere = to_view(places, other_warp)
    return Cells(
        places=places,
        points=functional.normalize(maps.flatten(2).mT, dim=2),
        partners=functional.normalize(sampled(others, elsewhere), dim=2),
        is_matched=is_inside(elsewhere) & is_inside(places),  # a turned view shows black beyond the frame
    )


def cell_places(height: int, width: int, device: torch.device) -> Tensor:
    """(N, 2): the centres of a map's cells in its view, row after row."""
    y = (torch.arange(height, device=device) * 2 + 1) / height - 1
    x = (torch.arange(width, device=device) * 2 + 1) / width - 1
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1).reshape(-1, 2)


def to_source(places: Tensor, warp: Tensor) -> Tensor:
    """Places in views (B, N, 2), or (N, 2) of them all, by warps (B, 2, 3), to their source frames (B, N, 2)."""
    return _turned(places, warp[:, :, :2]) + warp[:, None, :, 2]


def to_view(places: Tensor, warp: Tensor) -> Tensor:
    """Places in source frames (B, N, 2) to the views of these warps: the way back of `to_source`."""
    return _turned(places - warp[:, None, :, 2], torch.linalg.inv(warp[:, :, :2]))


def _turned(places: Tensor, matrix: Tensor) -> Tensor:
    """Each place by its sample's matrix (B, 2, 2); written out, as autocast would round a matrix product."""
    return (matrix[:, None] * places[..., None, :]).sum(dim=-1)


def is_inside(places: Tensor) -> Tensor:
    """Which places (..., 2) a view, or a source frame, holds."""
    return (places.abs() <= 1).all(dim=-1)


def sampled(maps: Tensor, places: Tensor) -> Tensor:
    """What maps (B, D, h, w) hold at places of their views (B, N, 2), between cells by their distance: (B, N, D)."""
    found = functional.grid_sample(
        maps.float(), places[:, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[:, :, 0].mT
