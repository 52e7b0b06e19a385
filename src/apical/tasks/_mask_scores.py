"""Masks beside masks: what is believed of an image and its traces come in; rows of scores and of masks go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from apical import registry, runlength
from apical.dataset import Dataset
from apical.measures.discs import discs_of_mask, single_plane_ml
from apical.metrics.base import MaskPair, Metric
from apical.pixels.fit import Fit, fit_of
from apical.tasks._mask_heads import MaskHead

__all__ = ["MaskJudge", "cleaned"]

Mask = npt.NDArray[np.bool_]
APICAL_VIEWS = ("a4c", "a2c")
LV = "lv"
WORKING = "_working"


@dataclass(frozen=True)
class _Placed:
    """A clip's frames at the source's size and at the size worked on."""

    fit: Fit
    spacing: tuple[float, float] | None
    """(y, x) in mm of the source's pixels."""
    working_spacing: tuple[float, float] | None

    @classmethod
    def of(cls, row: Mapping[str, Any], mode: Any, size: tuple[int, int]) -> _Placed:
        fit = fit_of(row, mode)
        if row["spacing_mm_y"] is None or row["spacing_mm_x"] is None:
            return cls(fit, None, None)
        stored = row["spacing_mm_y"], row["spacing_mm_x"]
        unit = fit.spacing(1.0, 1.0)  # stored millimetres for one at the source
        source = stored[0] / unit[0], stored[1] / unit[1]
        working = stored[0] * row["height"] / size[0], stored[1] * row["width"] / size[1]
        return cls(fit, source, working)


class MaskJudge:
    """Judges one image after the other, by every metric there is."""

    def __init__(
        self,
        dataset: Dataset,
        head: MaskHead,
        structures: Sequence[str],
        size: tuple[int, int],
        *,
        cleans: bool,
    ) -> None:
        self.dataset, self.head, self.structures, self.size, self.cleans = (
            dataset,
            head,
            structures,
            size,
            cleans,
        )
        self.mode = dataset.card.preprocessing["fit"]

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """By name."""
        return {name: registry.load("metrics", name)() for name in registry.names("metrics")}

    @cached_property
    def traces(self) -> dict[tuple[str, int], list[dict[str, Any]]]:
        """Rows of the traces by clip and frame."""
        rows = self.dataset.traces.filter(pl.col("structure").is_in(list(self.structures)))
        return {
            (str(clip), int(frame)): part.to_dicts()
            for (clip, frame), part in rows.group_by(["clip", "frame"], maintain_order=True)
        }

    def judge(
        self, clip: str, frame: int, beliefs: Tensor
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of scores and of masks, for what is believed (S, h, w) of a frame."""
        row = self.dataset.clip_row(clip)
        placed = _Placed.of(row, self.mode, self.size)
        found, working = self._masks(beliefs, placed.fit), self._masks(beliefs, None)
        scores, masks = [], []
        for trace in self.traces[clip, frame]:
            place = self.structures.index(trace["structure"])
            truth = self.dataset.trace_mask(trace, at_source_size=True)
            small = _at_size(self.dataset.trace_mask(trace), self.size)
            about = {name: row[name] for name in ("clip", "patient", "study", "echo_view")}
            about |= {"frame": frame, "phase": trace["phase"], "structure": trace["structure"]}
            pair = MaskPair(found[place], truth, placed.spacing or (1.0, 1.0))
            working_pair = MaskPair(working[place], small, placed.working_spacing or (1.0, 1.0))
            scores.append({**about, **self._figures(pair, working_pair, placed), **_volumes(about, pair)})
            masks.append(_mask_row(about, found[place]))
        return scores, masks

    def _masks(self, beliefs: Tensor, fit: Fit | None) -> npt.NDArray[np.bool_]:
        """(S, H, W) at the source's size, or as large as the beliefs are."""
        maps = beliefs if fit is None else _at_source(beliefs, fit)
        masks: npt.NDArray[np.bool_] = self.head.masks(maps[None])[0].numpy()
        return np.stack([cleaned(mask) for mask in masks]) if self.cleans else masks

    def _figures(self, pair: MaskPair, working: MaskPair, placed: _Placed) -> dict[str, Any]:
        return {
            **{name: metric.measure(pair) for name, metric in self.metrics.items()},
            **{name + WORKING: metric.measure(working) for name, metric in self.metrics.items()},
            "unit": "px" if placed.spacing is None else "mm",
            "shared_area": pair.shared_area,
            "found_area": pair.found_area,
            "true_area": pair.true_area,
        }


def cleaned(mask: Mask) -> Mask:
    """The largest connected part of a mask (H, W), its holes filled."""
    parts, count = ndimage.label(mask)
    if count > 1:
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        mask = parts == sizes.argmax()
    filled: Mask = ndimage.binary_fill_holes(mask)
    return filled


def _at_source(beliefs: Tensor, fit: Fit) -> Tensor:
    """Beliefs (S, h, w) of a whole stored frame as large as the source's frames; 0 where the frame shows nothing."""
    inner, box = fit.inner, fit.box
    stored = fit.stored_height, fit.stored_width
    shown = beliefs
    if (inner.top, inner.left, inner.bottom, inner.right) != (0, 0, *stored):
        shown = _resized(beliefs, stored)[:, inner.top : inner.bottom, inner.left : inner.right]
    resized = _resized(shown, (box.bottom - box.top, box.right - box.left))
    whole = torch.zeros((len(beliefs), fit.source_height, fit.source_width))
    whole[:, box.top : box.bottom, box.left : box.right] = resized
    return whole


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(maps[None], size, mode="bilinear")[0]


def _at_size(mask: Mask, size: tuple[int, int]) -> Mask:
    """A stored mask at another size: what covers half of a pixel or more has it."""
    if mask.shape == size:
        return mask
    shares = functional.interpolate(
        torch.from_numpy(mask)[None, None].float(), size, mode="bilinear", antialias=True
    )
    at_size: Mask = (shares[0, 0] >= 0.5).numpy()
    return at_size


def _volumes(about: Mapping[str, Any], pair: MaskPair) -> dict[str, Any]:
    """Discs of both masks, where the ventricle is seen from the apex: ml where the spacing is known."""
    names = ("found", "true")
    empty: dict[str, Any] = {
        f"{name}_{what}": None for name in names for what in ("volume", "diameters", "length")
    }
    if about["structure"] != LV or about["echo_view"] not in APICAL_VIEWS:
        return empty
    for name, mask in zip(names, (pair.found, pair.truth), strict=True):
        discs = discs_of_mask(mask, pair.spacing)
        if discs is not None:
            empty[f"{name}_volume"] = single_plane_ml(discs)
            empty[f"{name}_diameters"], empty[f"{name}_length"] = discs.diameters.tolist(), discs.length
    return empty


def _mask_row(about: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    kept = {name: about[name] for name in ("clip", "frame", "structure")}
    return {**kept, "height": mask.shape[0], "width": mask.shape[1], "runs": runlength.encode(mask)}
