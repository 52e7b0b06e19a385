"""A pretraining as a job: settings and a dataset come in; batches, losses, figures and weights go out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import Tensor

from apical import registry
from apical.backbones.base import BackboneConfig
from apical.batch import Batch
from apical.cohorts import cohorts_of
from apical.config import PieceConfig, piece
from apical.dataset import Dataset
from apical.encoders import backbone_from, backbone_weights
from apical.errors import ApicalError
from apical.examination import Examination
from apical.feed import Feed
from apical.frames import FrameStore, Where
from apical.gathering import sync_batch_norms
from apical.methods.base import Method
from apical.moment import Moment
from apical.optimisers.base import OptimiserConfig, optimiser_of
from apical.sampling.base import Sampling, SamplingConfig
from apical.training_run import RunSettings
from apical.views import ViewConfig, Views
from apical.weights import WeightsCard, start_weights

if TYPE_CHECKING:
    import polars as pl
    from lightning_fabric import Fabric

__all__ = ["PretrainConfig", "Pretraining"]


class PretrainConfig(RunSettings):
    """How an encoder is pretrained."""

    method: Annotated[PieceConfig, *piece("methods")]
    """What is learnt from."""
    backbone: Annotated[BackboneConfig, *piece("backbones")]
    """What is trained."""
    init: str = "random"
    """First weights: random, imagenet, imagenet:FILE, dino, dino:FILE, or the folder of a run."""
    sampling: Annotated[SamplingConfig, *piece("sampling")]
    """Which frames an epoch shows."""
    views: dict[str, ViewConfig]
    """What becomes of a frame, by group of views."""
    optimiser: Annotated[OptimiserConfig, *piece("optimisers")]
    """What follows the gradient."""
    batch_size: int = Field(default=128, gt=1)
    """Samples in a step, over all devices."""
    epoch_steps: int | None = Field(default=None, gt=0)
    """Most steps in an epoch, which then shows a part of the samples; null shows all."""
    hold_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the patients to look at the features with, where the dataset has no validation split."""
    frames_on: Where = "auto"
    """Where frames are read from; auto takes the device where they fit, else the memory map."""
    monitor_images: int = Field(default=512, ge=4)
    """Images to look at the features with, of training patients, and half as many of held-out ones."""
    score: str = "val_loss"
    """The figure by which the best checkpoint is chosen; last takes the latest."""


def _build_method(config: PretrainConfig, *, goes_on: bool = False) -> tuple[Method, WeightsCard]:
    """The method around its backbone, whose first weights are a function of the seed, and where those are from.

    A run that goes on has its own weights put in later, and needs no others.
    """
    torch.manual_seed(config.seed)
    backbone = backbone_from(config.backbone)
    start = start_weights(backbone, config.backbone, "random" if goes_on else config.init)
    method: Method = registry.load("methods", config.method.name)(config.method, backbone)
    return method, start


class Pretraining:
    """The job that `apical pretrain` hands to the engine."""

    def __init__(
        self, config: PretrainConfig, dataset: Dataset, fabric: Fabric, *, goes_on: bool = False
    ) -> None:
        self.config, self.fabric = config, fabric
        _check_views(config)
        self.cohorts = cohorts_of(dataset, config.hold_out)
        self.feed, remark = self._feed(dataset, self.cohorts.training)
        self.model, self.start = _build_method(config, goes_on=goes_on)
        if fabric.world_size > 1:
            sync_batch_norms(self.model)
        self.optimiser = optimiser_of(self.model, config.optimiser, config.batch_size)
        self.peak_lr = config.optimiser.peak_lr(config.batch_size)
        self.final_weight_decay = config.optimiser.final_weight_decay
        self.examination = Examination(config, dataset, self.cohorts, fabric)
        self.batch_size = config.batch_size
        self.steps_per_epoch = self.feed.steps_per_epoch
        self.title = f"Pretraining with {config.method.name}"
        self.score = config.score
        self.higher_is_better = self.examination.higher_is_better(config.score)
        self.remarks = (*self._remarks(remark), *self.examination.remarks_on(config.score))
        self.advice = self.model.advice

    @property
    def counts(self) -> dict[str, int]:
        """What of the dataset is used, for the run's card."""
        training, held_out = self.cohorts.training, self.cohorts.held_out
        return {
            "training_clips": len(training),
            "training_patients": training["patient"].n_unique(),
            "samples_per_epoch": self.feed.num_samples,
            "held_out_patients": held_out["patient"].n_unique(),
        }

    def batch(self, moment: Moment, part: int, parts: int) -> Batch:
        """One of `parts` equal parts of the batch of this moment."""
        return self.feed.batch(moment, part, parts)

    def evaluate(self, moment: Moment) -> Mapping[str, float]:
        """The loss on held-out patients, and what the monitors say of the features."""
        del moment  # every look is the same
        return self.examination.examine(self.model)

    def weights(self) -> Mapping[str, Tensor]:
        """The encoder, its input scale included, and the method's heads."""
        heads = {
            f"{name}.{inner}": tensor
            for name, head in self.model.heads.items()
            for inner, tensor in head.state_dict().items()
        }
        return {**backbone_weights(self.model.encoder), **heads}

    def close(self) -> None:
        """End what runs beside training."""
        self.feed.close()
        self.examination.close()

    def _remarks(self, of_sampling: str | None) -> Iterator[str]:
        if of_sampling:
            yield of_sampling
        if not self.model.trains_backbone and self.config.init == "random":
            yield "The encoder has random weights and learns nothing here: name one that has learnt, --init RUN"

    def _feed(self, dataset: Dataset, clips: pl.DataFrame) -> tuple[Feed, str | None]:
        config = self.config
        store = FrameStore.open(dataset, clips, config.frames_on, self.fabric.device)
        sampling: Sampling = registry.load("sampling", config.sampling.name)(config.sampling, dataset, clips)
        views = Views(config.views, *dataset.frame_size)
        feed = Feed(
            dataset,
            clips,
            sampling,
            views,
            batch_size=config.batch_size,
            seed=config.seed,
            store=store,
            most_steps=config.epoch_steps,
        )
        return feed, sampling.remark


def _check_views(config: PretrainConfig) -> None:
    method: type[Method] = registry.load("methods", config.method.name)
    asked, given = method.view_groups, tuple(config.views)
    if not set(asked) <= set(given):
        raise ApicalError(
            f"The method '{config.method.name}' needs other views",
            seen=f"groups {', '.join(given)}",
            remedy=f"Give settings for the groups {', '.join(asked)}, or leave 'views' out of the recipe.",
        )
