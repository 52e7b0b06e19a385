"""A fine-tuning as a job: settings and a dataset come in; lessons, losses, figures and weights go out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import polars as pl
import torch
from pydantic import BeforeValidator, Field, field_validator
from torch import Tensor

from apical import registry
from apical.backbones.base import BackboneConfig
from apical.cohorts import cohorts_of
from apical.config import piece
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.examples import Watched, drawn_examples
from apical.frames import FrameStore, Where
from apical.gathering import sync_batch_norms
from apical.labels import Amount, By
from apical.learner import ConsistencyConfig, Learner, Lesson
from apical.lessons import Labelled, Others, even_batches, lesson, samples_of
from apical.moment import Moment
from apical.networks.base import NetworkConfig
from apical.optimisers.base import OptimiserConfig, optimiser_of
from apical.precision import autocast
from apical.starts import start_network
from apical.tasks.base import Answers, TaskConfig, TrainedTask
from apical.training_run import RunSettings
from apical.views import ViewConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["FinetuneConfig", "Finetuning", "both_sides"]

LAST = "last"
"""A score that no figure has, so that each look is the best so far."""
IMAGES_AT_ONCE = 16


def both_sides(value: Any) -> Any:
    """One side as both."""
    return (value, value) if isinstance(value, int) else value


class FinetuneConfig(RunSettings):
    """How a task is learnt from a few labels."""

    task: Annotated[TaskConfig, *piece("tasks")]
    """What is learnt."""
    network: Annotated[NetworkConfig, *piece("networks")]
    """What learns it."""
    backbone: Annotated[BackboneConfig, *piece("backbones")]
    """The network's encoder."""
    init: str = "random"
    """First weights: random, imagenet, imagenet:FILE, dino, dino:FILE, or the folder of a run."""
    labels: Annotated[str, BeforeValidator(str)] = "all"
    """How many annotated patients are learnt from: all, a number such as 20, or a share such as 5%."""
    labels_by: By = "patient"
    """Whether patients are drawn, or single images as in Saeed 2022."""
    trains: Literal["all", "decoder"] = "all"
    """What learns: all weights, or the decoder alone on a frozen encoder (network=linear makes that a linear probe)."""
    size: Annotated[tuple[int, int], BeforeValidator(both_sides)]
    """Height and width, or the one side, of the images that are worked on."""
    view: ViewConfig = ViewConfig(count=1)
    """How labelled images are moved and changed."""
    other_view: ViewConfig | None = None
    """How unlabelled images are; null takes the labelled ones' way."""
    consistency: ConsistencyConfig | None = None
    """Learning from unlabelled images; null learns from labels alone."""
    optimiser: Annotated[OptimiserConfig, *piece("optimisers")]
    """What follows the gradient."""
    batch_size: int = Field(default=16, gt=0)
    """Most labelled images in a step, over all devices; there are as many unlabelled ones beside them."""
    fewest_samples: int = Field(default=1, gt=0)
    """An epoch shows the labelled images again and again until it has so many."""
    epoch_steps: int | None = Field(default=None, gt=0)
    """Most steps in an epoch; null shows all labelled images."""
    hold_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the patients to watch learning on, where the dataset has no validation split."""
    frames_on: Where = "auto"
    """Where frames are read from; auto takes the device where they fit, else the memory map."""
    watched_images: int = Field(default=512, gt=0)
    """Most held-out images that each look at progress takes."""
    score: str = "val_loss"
    """The figure by which the best checkpoint is chosen; last takes the latest."""

    @field_validator("labels")
    @classmethod
    def _readable(cls, labels: str) -> str:
        Amount.read(labels)
        return labels


class _Look(NamedTuple):
    """Held-out images that were looked at."""

    figures: Mapping[str, Tensor]
    """(B,) each."""
    beliefs: tuple[Tensor, Tensor] | None
    """Beliefs and answers, where they are judged together."""


class Finetuning:
    """The job that `apical finetune` hands to the engine."""

    advice = "Lower the learning rate (optimiser.lr)."

    def __init__(
        self, config: FinetuneConfig, dataset: Dataset, fabric: Fabric, *, goes_on: bool = False
    ) -> None:
        self.config, self.dataset, self.fabric = config, dataset, fabric
        self.task: TrainedTask = registry.load("tasks", config.task.name)(config.task)
        self.cohorts = cohorts_of(dataset, config.hold_out)
        self.store = FrameStore.open(dataset, self.cohorts.training, config.frames_on, fabric.device)
        self.labels, examples = drawn_examples(
            self.task, dataset, self.cohorts.training, config.labels, config.seed, config.labels_by
        )
        answers = self.task.answers(dataset, examples)
        self.task.begin(answers, len(examples))
        self.batch_size, fewest = self._sizes(samples_of(examples, self.task.look))
        self.labelled = self._labelled(examples, answers, fewest)
        self.others = self._others(examples)
        self.steps_per_epoch = self.labelled.feed.steps_per_epoch
        self.watched = Watched.of(
            self.task, dataset, self.cohorts.held_out, config.watched_images, config.size, fabric.device
        )
        torch.manual_seed(config.seed)
        network, self.start = start_network(config, self.task.num_outputs, goes_on=goes_on)
        consistency = config.consistency if self.others is not None else None
        trains = config.trains == "all"
        self.model = Learner(network, self.task, consistency=consistency, trains_backbone=trains)
        if fabric.world_size > 1:
            sync_batch_norms(self.model)
        self.optimiser = optimiser_of(self.model, config.optimiser, self.batch_size)
        self.peak_lr = config.optimiser.peak_lr(self.batch_size)
        self.final_weight_decay = config.optimiser.final_weight_decay
        self.title = f"Learning {config.task.name}"
        self.score = config.score
        self.higher_is_better = self._higher_is_better(config.score)
        self.remarks = self._remarks()

    @property
    def counts(self) -> dict[str, int]:
        """What of the dataset is used, for the run's card."""
        return {
            "labelled_patients": len(self.labels.patients),
            "labelled_images": len(self.labels.images),
            "unlabelled_clips": 0 if self.others is None else len(self.cohorts.training),
            "held_out_patients": self.watched.num_patients,
        }

    def batch(self, moment: Moment, part: int, parts: int) -> Lesson:
        """One of `parts` equal parts of the lesson of this moment."""
        return lesson(self.labelled, self.others, moment, part, parts)

    def evaluate(self, moment: Moment) -> Mapping[str, float]:
        """The loss and the task's figures on held-out patients."""
        del moment  # every look is the same
        self.model.eval()
        try:
            with torch.no_grad():
                looks = [self._look(*part) for part in self.watched.parts(IMAGES_AT_ONCE)]
        finally:
            self.model.train()
        if not looks:
            return {}
        figures = {name: torch.cat([look.figures[name] for look in looks]) for name in looks[0].figures}
        together: Mapping[str, float] = {}
        if self.task.judges_together:
            beliefs, answers = (
                torch.cat(each) for each in zip(*(look.beliefs for look in looks), strict=True)
            )
            together = self.task.together(self.watched.examples, beliefs, answers)
        means = {name: float(each.mean()) for name, each in figures.items()}
        return {f"val_{name}": value for name, value in {**means, **together}.items()}

    def weights(self) -> Mapping[str, Tensor]:
        """The network, its encoder by the names that other runs have for theirs."""
        return self.model.taught.state_dict()

    def close(self) -> None:
        """End what runs beside training."""
        self.labelled.feed.close()
        if self.others is not None:
            self.others.feed.close()

    def _sizes(self, num_samples: int) -> tuple[int, int]:
        """Samples in a batch, and in an epoch."""
        config, parts = self.config, self.config.accumulate * self.fabric.world_size
        fewest = max(config.fewest_samples, parts)
        samples = num_samples * max(1, -(-fewest // num_samples))
        return even_batches(samples, config.batch_size, parts), fewest

    def _labelled(self, examples: pl.DataFrame, answers: Answers, fewest: int) -> Labelled:
        config = self.config
        return Labelled(
            self.dataset,
            self.cohorts.training,
            examples,
            answers,
            config.view,
            self.store,
            size=config.size,
            batch_size=self.batch_size,
            fewest=fewest,
            most_steps=config.epoch_steps,
            seed=config.seed,
            look=self.task.look,
        )

    def _others(self, examples: pl.DataFrame) -> Others | None:
        """The unlabelled images, where they are wanted and there are any."""
        config, clips = self.config, self.cohorts.training
        if config.consistency is None or int(clips["num_frames"].sum()) <= len(examples):
            return None
        view, size = config.other_view or config.view, self.batch_size
        return Others(
            self.dataset,
            clips,
            view,
            self.store,
            size=config.size,
            batch_size=size,
            seed=config.seed,
            look=self.task.look,
        )

    def _look(self, images: Tensor, answers: Tensor) -> _Look:
        """What is thought of some images, one by one; all have the same loss."""
        device = self.fabric.device
        with autocast(self.config.precision, device):
            outputs = self.model.taught(images)
        outputs, answers = outputs.float(), answers.to(device)
        loss = self.task.loss(outputs, answers)["loss"]
        beliefs = self.task.beliefs(outputs)
        figures = {"loss": loss.expand(len(images)), **self.task.figures(beliefs, answers)}
        kept = (beliefs.cpu(), answers.cpu()) if self.task.judges_together else None
        return _Look({name: each.cpu() for name, each in figures.items()}, kept)

    def _higher_is_better(self, score: str) -> bool:
        if score in {"val_loss", LAST}:
            return score == LAST
        if score.startswith("val_"):
            return True
        raise ApicalError(
            f"No best checkpoint can be chosen by '{score}'",
            remedy=f"Set score to val_loss, {self.task.score}, or last.",
        )

    def _remarks(self) -> tuple[str, ...]:
        remarks = [remark] if (remark := self.labelled.remark) else []
        if not len(self.watched):
            remarks.append(
                "No held-out patient has labels, so nothing is watched and the best checkpoint is the last"
            )
        if self.config.consistency is not None and self.others is None:
            remarks.append(
                "All images of the training patients are labelled, so none is learnt from without labels"
            )
        if self.config.labels_by == "image":
            remarks.append(
                "Labels were drawn by image, as in the paper: a patient may have one labelled image of two"
            )
        return tuple(remarks)
