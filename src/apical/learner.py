"""A network that learns a task: lessons come in, losses go out. A teacher may say what it thinks of unlabelled images.

The teacher is the running mean of the network. It looks at whole frames as they are, the network at the same frames
moved, turned and changed: what the network says there should be what the teacher says of the same places (Mean
Teacher, Tarvainen and Valpola 2017; FixMatch, Sohn et al. 2020).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from apical.averages import settled_decay
from apical.config import Config
from apical.moment import Moment
from apical.networks.base import Network
from apical.tasks.base import Losses, TrainedTask

__all__ = ["ConsistencyConfig", "Learner", "Lesson", "Unlabelled"]


class ConsistencyConfig(Config):
    """How much is learnt from unlabelled images, and how."""

    weight: float = Field(default=1.0, gt=0)
    """Of disagreement with the teacher, beside the loss on labelled images."""
    begin: float = Field(default=0.1, ge=0, lt=1)
    """Share of training after which the teacher is first asked; before, it knows nothing."""
    ramp: float = Field(default=0.3, gt=0, le=1)
    """Share of training in which the weight then rises to its full value."""
    threshold: float = Field(default=0.8, ge=0, lt=1)
    """How sure the teacher must be of a pixel for it to count in the cross-entropy."""
    momentum: float = Field(default=0.99, gt=0, lt=1)
    """How much of the teacher stays at each step."""

    def weight_at(self, moment: Moment) -> float:
        """The weight now."""
        return self.weight * min(max((moment.fraction - self.begin) / self.ramp, 0.0), 1.0)


@dataclass(frozen=True)
class Unlabelled:
    """Images that nobody annotated."""

    plain: Tensor
    """(B, 1, H, W): whole frames, as they are."""
    changed: Tensor
    """(B, 1, h, w): the same, moved and changed."""
    warps: Tensor
    """(B, 2, 3): from places in the changed view to places in the frame."""


@dataclass(frozen=True)
class Lesson:
    """A batch."""

    images: Tensor
    """(B, 1, H, W)"""
    answers: Tensor
    unlabelled: Unlabelled | None = None


class Learner(nn.Module):
    """A network, its task and, if unlabelled images are learnt from, its teacher."""

    def __init__(
        self,
        network: Network,
        task: TrainedTask,
        *,
        consistency: ConsistencyConfig | None = None,
        trains_backbone: bool = True,
    ) -> None:
        super().__init__()
        self.network, self.task, self.consistency = network, task, consistency
        self.trains_backbone = trains_backbone
        network.backbone.requires_grad_(trains_backbone)
        self.teacher = None if consistency is None else copy.deepcopy(network).requires_grad_(False)
        self.train()

    @property
    def taught(self) -> Network:
        """What is left in the end: the teacher, where there is one."""
        return self.network if self.teacher is None else self.teacher

    def train(self, mode: bool = True) -> Learner:
        """A backbone that learns nothing keeps its norms' statistics too, and a teacher is never in training."""
        super().train(mode)
        if not self.trains_backbone:
            self.network.backbone.eval()
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(self, lesson: Lesson, moment: Moment) -> Losses:
        """The loss on labelled images and, weighted, the disagreement on the others."""
        if self.consistency is None or lesson.unlabelled is None:
            return self.task.loss(self.network(lesson.images).float(), lesson.answers)
        weight = self.consistency.weight_at(moment)
        if weight == 0:
            losses = self.task.loss(self.network(lesson.images).float(), lesson.answers)
            return {**losses, "disagreement": torch.zeros_like(losses["loss"])}
        beliefs = self._beliefs(lesson.unlabelled)
        outputs = self.network(torch.cat([lesson.images, lesson.unlabelled.changed])).float()
        labelled, others = outputs.split([len(lesson.images), len(lesson.unlabelled.changed)])
        losses = self.task.loss(labelled, lesson.answers)
        disagreement = self.task.disagreement(others, beliefs, self.consistency.threshold)
        return {**losses, "loss": losses["loss"] + weight * disagreement, "disagreement": disagreement}

    def before_step(self, moment: Moment) -> None:
        """Gradients need no change."""

    @torch.no_grad()
    def after_step(self, moment: Moment) -> None:
        """The teacher follows: weights and statistics of norms alike."""
        if self.teacher is None or self.consistency is None:
            return
        share = 1 - settled_decay(self.consistency.momentum, moment.step)
        ahead = self.network.state_dict()
        for name, tensor in self.teacher.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(ahead[name], share)
            else:
                tensor.copy_(ahead[name])

    @torch.no_grad()
    def _beliefs(self, unlabelled: Unlabelled) -> Tensor:
        """What the teacher thinks, as the network sees it."""
        assert self.teacher is not None
        beliefs = self.task.beliefs(self.teacher(unlabelled.plain).float())
        height, width = unlabelled.changed.shape[-2:]
        return self.task.carried(beliefs, unlabelled.warps, (height, width))
