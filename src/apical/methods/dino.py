"""DINO (Caron et al. 2021): the student tells from a small view what the teacher says of a wide one.

Views come in, the cross-entropy between the two networks' scores over many prototypes goes out. Two ways to cheat end
training: to spread every image evenly over the prototypes (`teacher_entropy` goes to the logarithm of their number)
and to give every image the same prototype (it goes to 0). In both, `spread` and `teacher_kl` go to 0. The centre works
against the second, the low temperature of the teacher against the first.

The centre moves once a step, by the mean over all parts and processes: a batch taken in parts has the same loss and
the same centre as one taken whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.batch import Batch
from apical.config import PieceConfig
from apical.gathering import mean_over_processes
from apical.methods._dino_head import DinoHead
from apical.methods._pair_views import SIGMA_PER_PIXEL
from apical.methods._spread import spread
from apical.methods._teacher import follow, teacher_of
from apical.methods.base import Losses, Method
from apical.moment import Moment
from apical.schedules import cosine

__all__ = ["Dino", "DinoConfig", "cross_entropy", "evenly_shared", "nearness"]


TINY, LEAST_SQUARE = 1e-12, 1e-8


class DinoConfig(PieceConfig):
    """Settings of DINO, by default those of the paper."""

    name: Literal["dino"] = "dino"
    prototypes: int = Field(default=65536, ge=2)
    """How many scores the head gives; fewer do for small data sets."""
    hidden_features: int = Field(default=2048, gt=0)
    """Features between the head's layers."""
    bottleneck_features: int = Field(default=256, gt=0)
    """Features that are compared with the prototypes."""
    norm_in_head: bool = False
    """Batch norms between the head's layers, which take away what all images share; the paper has none for ViTs."""
    norm_last_layer: bool = True
    """Keep the prototypes' lengths at 1: steadier, at times a little less accurate."""
    freeze_last_layer_epochs: int = Field(default=1, ge=0)
    """Epochs in which the prototypes stay as they are."""
    student_temperature: float = Field(default=0.1, gt=0)
    """What the student's scores are divided by."""
    teacher_temperature: float = Field(default=0.04, gt=0)
    """What the teacher's scores are divided by after the warm-up; above 0.07 it tends to collapse."""
    warmup_teacher_temperature: float = Field(default=0.04, gt=0)
    """What they are divided by in the first epoch."""
    warmup_teacher_temperature_epochs: int = Field(default=0, ge=0)
    """Epochs in which the one becomes the other in a straight line."""
    balance: Literal["centre", "sinkhorn"] = "centre"
    """What keeps the teacher from one answer for all: a running centre (the paper's), or even use of all prototypes in
    each batch (Caron 2020, as in DINOv2), which holds for small batches and alike images too."""
    apart: float = Field(default=0.0, ge=0)
    """How much images are pushed apart from their nearest one (KoLeo, Sablayrolles 2019); DINOv2 has 0.1."""
    centre_momentum: float = Field(default=0.9, ge=0, lt=1)
    """How much of the centre stays at each step."""
    teacher_momentum: float = Field(default=0.996, ge=0, le=1)
    """How much of the teacher stays at the first step; it rises to 1 along half a cosine."""

    def teacher_temperature_at(self, epoch: int) -> float:
        """What the teacher's scores are divided by in this epoch."""
        if epoch >= self.warmup_teacher_temperature_epochs:
            return self.teacher_temperature
        done = epoch / max(self.warmup_teacher_temperature_epochs - 1, 1)
        return self.warmup_teacher_temperature + done * (
            self.teacher_temperature - self.warmup_teacher_temperature
        )


class Dino(Method):
    """A student with all views, and a teacher, which is the student's running mean, with the wide ones."""

    Config = DinoConfig
    view_groups: ClassVar[tuple[str, ...]] = ("wide", "other_wide")
    defaults: ClassVar[Mapping[str, Any]] = {
        "backbone": {"name": "vit_small", "patch": 8, "drop_path": 0.1},
        "optimiser": {
            "name": "adamw",
            "lr": 5e-4,
            "lr_per": 256,
            "weight_decay": 0.04,
            "final_weight_decay": 0.4,
        },
        "schedule": {"warmup_epochs": 10, "final": 1e-6},
        "clip_norm": 3.0,
        "score": "last",  # after a collapse the loss may be lowest, and the rank of features highest
    }
    advice: ClassVar[str] = (
        "Lower the learning rate (optimiser.lr), or method.teacher_temperature if it is above 0.04."
    )
    config: DinoConfig
    centre: Tensor

    def __init__(self, config: DinoConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        widths = backbone.num_features, config.hidden_features, config.bottleneck_features
        self.head = DinoHead(
            widths, config.prototypes, fixed_length=config.norm_last_layer, norm=config.norm_in_head
        )
        self.teacher_backbone = teacher_of(self.backbone)
        self.teacher_head = teacher_of(self.head)
        self.register_buffer("centre", torch.zeros(config.prototypes))
        self._means: list[Tensor] = []

    @property
    def encoder(self) -> Backbone:
        """The teacher: it is the better of the two all through training."""
        return self.teacher_backbone

    @classmethod
    def default_views(cls, size: int) -> Mapping[str, Any]:
        """Two wide views, which differ in how they are changed, and eight local ones of about half the size.

        As in the paper, less what only colours have. Local views, which may also be left out, see mostly the sector.
        """
        wide = {"count": 1, "size": None, "crop": {"scale": [0.4, 1.0], "interpolation": "bicubic"}}
        small = max(round(size * 96 / 224 / 8), 1) * 8
        crop = {"scale": [0.05, 0.4], "interpolation": "bicubic", "sector_aware": 0.5}
        solarise = {"solarise": {"probability": 0.2}}
        return {
            "wide": {**wide, "augmentations": changes(size, blurred=1.0)},
            "other_wide": {**wide, "augmentations": {**changes(size, blurred=0.1), **solarise}},
            "local": {"count": 8, "size": small, "crop": crop, "augmentations": changes(size, blurred=0.5)},
        }

    def loss(self, batch: Batch, moment: Moment) -> Losses:
        """The loss, its two parts (the teacher's entropy, and how far the student is from it), and the spread."""
        wide = [*batch.views["wide"], *batch.views["other_wide"]]
        views = [*wide, *batch.views.get("local", ())]
        vectors = vectors_of(self.backbone, views)
        student = self.head(vectors).float().reshape(len(views), -1, self.config.prototypes)
        with torch.no_grad():
            points = self.teacher_head.bottleneck(vectors_of(self.teacher_backbone, wide))
            scores = self.teacher_head.prototypes(points).float()
            temperature = self.config.teacher_temperature_at(moment.epoch)
            if self.config.balance == "sinkhorn":
                teacher = evenly_shared(scores / temperature)
            else:
                teacher = ((scores - self.centre) / temperature).softmax(dim=1)
            entropy = torch.special.entr(teacher).sum(dim=1).mean()
            if self.training:
                self._means.append(mean_over_processes(scores.mean(dim=0)))
        loss = cross_entropy(
            teacher.reshape(len(wide), -1, self.config.prototypes),
            (student / self.config.student_temperature).log_softmax(dim=2),
        )
        crowding = nearness(vectors.reshape(len(views), -1, vectors.shape[1])[: len(wide)])
        return {
            "loss": loss + self.config.apart * crowding,
            "teacher_entropy": entropy,
            "teacher_kl": loss.detach() - entropy,
            "spread": spread(points),
        }

    def before_step(self, moment: Moment) -> None:
        """Keep the prototypes where they are at first: without gradients no optimiser touches them."""
        if moment.epoch < self.config.freeze_last_layer_epochs:
            self.head.prototypes.zero_grad(set_to_none=True)

    @torch.no_grad()
    def after_step(self, moment: Moment) -> None:
        """The teacher follows the student, and the centre follows the teacher's scores."""
        momentum = cosine(self.config.teacher_momentum, 1.0, moment.fraction)
        follow(self.teacher_backbone, self.backbone, momentum)
        follow(self.teacher_head, self.head, momentum)
        if self._means:
            self.centre.lerp_(torch.stack(self._means).mean(dim=0), 1 - self.config.centre_momentum)
            self._means.clear()


def changes(size: int, blurred: float) -> dict[str, Any]:
    """Settings of the changes that all views have."""
    return {
        "contrast": {"probability": 0.8, "brightness": 0.4, "contrast": 0.4},
        "blur": {"probability": blurred, "sigma": [0.1, SIGMA_PER_PIXEL * size]},
    }


def cross_entropy(teacher: Tensor, student: Tensor) -> Tensor:
    """The mean over pairs of a wide view and another view; the wide ones come first.

    `teacher`: shares (W, B, K); `student`: logarithms of shares (V, B, K).
    """
    others = student.sum(dim=0) - student[: len(teacher)]
    return -(teacher * others).sum(dim=2).mean() / (len(student) - 1)


def evenly_shared(scores: Tensor, rounds: int = 3) -> Tensor:
    """Shares (B, K) of scores (Sinkhorn and Knopp): each sample's make one, those of all prototypes are alike."""
    shares = (scores - scores.amax()).exp()
    for _ in range(rounds):
        used = mean_over_processes(shares.sum(dim=0, keepdim=True))
        shares = shares / used.clamp(min=TINY) / shares.shape[1]
        shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=TINY)
    return shares


def nearness(vectors: Tensor) -> Tensor:
    """Minus the mean logarithm of how far each vector (W, B, D), at length 1, lies from its view's nearest other."""
    with torch.autocast(vectors.device.type, enabled=False):
        points = functional.normalize(vectors.float(), dim=2)
        cosines = points @ points.mT
    own = torch.eye(cosines.shape[1], dtype=torch.bool, device=cosines.device)
    nearest = cosines.masked_fill(own, -1).amax(dim=2)
    return -(2 - 2 * nearest).clamp(min=LEAST_SQUARE).log().mean() / 2


def vectors_of(backbone: Backbone, views: Sequence[Tensor]) -> Tensor:
    """(V B, D), view after view: views of one size go through the backbone together."""
    same_size = [list(group) for _, group in groupby(views, key=lambda view: view.shape)]
    return torch.cat([backbone(torch.cat(group)).vector for group in same_size])
