"""A look at features while training runs: a method comes in, its held-out loss and the monitors' figures go out.

Every look is at the same images and the same views, so that figures of one run, and of several, compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from apical import registry
from apical.backbones.base import Backbone
from apical.cohorts import Cohorts
from apical.dataset import Dataset
from apical.errors import ApicalError, nearest
from apical.examples import some_traced
from apical.feed import Feed
from apical.frames import FrameStore
from apical.gathering import mean_over_processes
from apical.methods.base import Losses, Method
from apical.moment import Moment
from apical.monitors._labels import choose_frames, labels_of
from apical.monitors.base import Embedded, Monitor
from apical.precision import autocast
from apical.sampling.base import Sampling
from apical.views import ViewConfig, Views

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from apical.pretraining import PretrainConfig

__all__ = ["Examination", "Gallery"]

MOST_LOSS_BATCHES = 4
TRACED_IMAGES = 32
IMAGES_AT_ONCE = 64
QUERY_SHARE = 2
"""The bank has so many times more images than there are queries."""
VAL_LOSS, KNN = "val_loss", "knn_"
LAST = "last"
"""A score that no figure has, so that each look is the best so far."""


@dataclass(frozen=True)
class Gallery:
    """Some images of a cohort, the same every time."""

    clips: pl.DataFrame
    """The cohort's clips."""
    store: FrameStore
    rows: npt.NDArray[np.int64]
    """(N,): the row of each image's clip."""
    frames: npt.NDArray[np.int64]
    """(N,): its frame."""

    @classmethod
    def of(cls, dataset: Dataset, clips: pl.DataFrame, count: int, device: torch.device) -> Gallery:
        """Up to `count` images, spread over the patients."""
        return cls(
            clips, FrameStore.open(dataset, clips, "disk", device), *choose_frames(dataset, clips, count)
        )

    @property
    def image_clips(self) -> pl.DataFrame:
        """The clip of each image, row by row."""
        return self.clips.select(pl.all().gather(self.rows))

    def images(self, size: int) -> Iterator[Tensor]:
        """Batches of whole images (B, 1, size, size)."""
        for part in self._parts():
            yield self.store.plain_images(self.rows[part], self.frames[part], size)

    def pairs(self, views: Views) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of the first two views of each image."""
        draw = views.draw(np.random.default_rng(0), len(self.rows), None)
        for part in self._parts():
            sources = self.store.gather(self.rows[part, None], self.frames[part, None, None])
            by_group = views.apply(sources, draw.part(part))[0]
            first, second = [view for group in by_group.values() for view in group]
            yield first, second

    def _parts(self) -> Iterator[slice]:
        for start in range(0, len(self.rows), IMAGES_AT_ONCE):
            yield slice(start, min(start + IMAGES_AT_ONCE, len(self.rows)))


class Examination:
    """What is looked at, and with what."""

    def __init__(self, config: PretrainConfig, dataset: Dataset, cohorts: Cohorts, fabric: Fabric) -> None:
        self.config, self.dataset, self.fabric = config, dataset, fabric
        self.bank = Gallery.of(dataset, cohorts.training, config.monitor_images, fabric.device)
        self.queries = Gallery.of(
            dataset, cohorts.held_out, max(2, config.monitor_images // QUERY_SHARE), fabric.device
        )
        self.labels = labels_of(
            dataset,
            self.bank.image_clips,
            self.queries.image_clips,
            self.bank.frames,
            self.queries.frames,
        )
        height, width = dataset.frame_size
        self.two_views = Views(_first_two(config.views), height, width)
        self.size = next(iter(config.views.values())).size or min(height, width)
        self.remarks: list[str] = []
        """What a user should know of what is missing."""
        self.feed = self._loss_feed(dataset, cohorts.held_out, Views(config.views, height, width))
        self.monitors: list[Monitor] = [
            registry.load("monitors", name)() for name in registry.names("monitors")
        ]

    def examine(self, method: Method) -> dict[str, float]:
        """Figures by name. All processes take part in the loss, the first alone looks at the features."""
        with _at_rest(method):
            figures = self._loss(method)
            if self.fabric.is_global_zero:
                if method.trains_backbone:
                    embedded = self._embedded(method.encoder)
                    for monitor in self.monitors:
                        figures.update(monitor.measure(embedded))
                figures.update(self._traced(method))
        return figures

    def vectors(self, encoder: Backbone, gallery: Gallery) -> Tensor:
        """(N, D): the encoder's vectors of a gallery's whole images, on the CPU."""
        with _at_rest(encoder):
            return torch.cat([self._vector(encoder, images) for images in gallery.images(self.size)])

    def higher_is_better(self, figure: str) -> bool:
        """Which way a figure is good; an error says which figures there are."""
        ways = {VAL_LOSS: False, LAST: True}
        for monitor in self.monitors:
            ways.update(monitor.higher_is_better)
        name = KNN if figure.startswith(KNN) else figure
        if name not in ways:
            raise ApicalError(f"No best checkpoint can be chosen by '{figure}'", remedy=nearest(figure, ways))
        return ways[name]

    def remarks_on(self, score: str) -> list[str]:
        """What a user should know of what can't be measured on these data."""
        if not score.startswith(KNN) or score.removeprefix(KNN) in self.labels[1]:
            return self.remarks
        return [*self.remarks, f"No {score} can be measured here, so the best checkpoint is the last one"]

    def close(self) -> None:
        """End what runs beside training."""
        if self.feed is not None:
            self.feed.close()

    def _loss_feed(self, dataset: Dataset, clips: pl.DataFrame, views: Views) -> Feed | None:
        config, world = self.config, self.fabric.world_size
        rule = registry.load("sampling", config.sampling.name)
        try:
            sampling: Sampling = rule(config.sampling, dataset, clips)
        except ApicalError as error:
            self.remarks.append(f"No held-out loss, since the held-out patients won't do: {error.what}")
            return None
        batch_size = min(config.batch_size, sampling.num_samples) // world * world
        if batch_size < 2 * world:
            self.remarks.append("No held-out loss, since the held-out patients have too few frames")
            return None
        store = FrameStore.open(dataset, clips, "disk", self.fabric.device)
        return Feed(dataset, clips, sampling, views, batch_size=batch_size, seed=config.seed, store=store)

    def _loss(self, method: Method) -> dict[str, float]:
        if self.feed is None:
            return {}
        count = min(MOST_LOSS_BATCHES, self.feed.steps_per_epoch)
        losses = [self._batch_losses(method, self.feed, step) for step in range(count)]
        watched = ("loss", *method.watched)
        return {
            f"val_{name}": float(mean_over_processes(torch.stack([each[name] for each in losses]).mean()))
            for name in watched
        }

    def _batch_losses(self, method: Method, feed: Feed, step: int) -> Losses:
        moment = Moment(step, feed.steps_per_epoch, epochs=1)
        torch.manual_seed(step)  # some losses draw; training seeds anew at its next step
        batch = feed.batch(moment, self.fabric.global_rank, self.fabric.world_size)
        with autocast(self.config.precision, self.fabric.device):
            losses = method.loss(batch, moment)
        return {name: value.detach().float() for name, value in losses.items()}

    def _traced(self, method: Method) -> dict[str, float]:
        """What the method says of held-out images on which structures are traced."""
        if not method.reads_traces:
            return {}
        size, device = (self.size, self.size), self.fabric.device
        traced = some_traced(self.dataset, self.queries.clips, TRACED_IMAGES, size, device)
        if traced is None:
            return {}
        with autocast(self.config.precision, self.fabric.device):
            return {f"val_{name}": value for name, value in method.traced_figures(*traced).items()}

    def _embedded(self, encoder: Backbone) -> Embedded:
        pairs = [
            (self._vector(encoder, first), self._vector(encoder, second))
            for first, second in self.queries.pairs(self.two_views)
        ]
        return Embedded(
            bank=self.vectors(encoder, self.bank),
            queries=self.vectors(encoder, self.queries),
            first_views=torch.cat([first for first, _ in pairs]),
            second_views=torch.cat([second for _, second in pairs]),
            bank_labels=self.labels[0],
            query_labels=self.labels[1],
        )

    def _vector(self, encoder: Backbone, images: Tensor) -> Tensor:
        with autocast(self.config.precision, self.fabric.device):
            vector: Tensor = encoder(images).vector
        return vector.float().cpu()


@contextmanager
def _at_rest(module: torch.nn.Module) -> Iterator[None]:
    """Within, the module learns nothing; then each of its parts is again in the mode it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode


def _first_two(views: Mapping[str, ViewConfig]) -> dict[str, Any]:
    """The settings of the first two views alone; of the only one, twice, where a method has no more."""
    if sum(config.count for config in views.values()) == 1:
        return {group: config.model_copy(update={"count": 2}) for group, config in views.items()}
    wanted, chosen = 2, {}
    for group, config in views.items():
        count = min(config.count, wanted)
        if count:
            chosen[group] = config.model_copy(update={"count": count})
        wanted -= count
    return chosen
