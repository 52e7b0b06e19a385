"""Classes of studies from outputs: logits of clips come in; what is believed of each sample, and its loss, go out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from apical.tasks._study_labels import NO, YES
from apical.tasks._study_votes import Vote

__all__ = ["ClassHead"]


class ClassHead:
    """Yes or no from one logit, or K grades from K; then a logit of how much a clip counts, where the vote has it."""

    def __init__(self, classes: tuple[str, ...], vote: Vote) -> None:
        self.classes, self.vote = classes, vote
        self.is_binary = classes == (NO, YES)
        self.num_columns = 1 if self.is_binary else len(classes)
        self.num_outputs = self.num_columns + vote.extra_outputs
        self.weights = torch.ones(len(classes))
        """(K,) of the classes, in the loss."""

    def truths(self, numbers: Tensor) -> Tensor:
        """(N, S) of classes (N,): 1 for the class; of yes and no, one column that says yes."""
        hot = functional.one_hot(numbers, len(self.classes)).float()
        return hot[:, 1:] if self.is_binary else hot

    def shares(self, columns: Tensor) -> Tensor:
        """(B, K) of truths or beliefs (B, S or more), in which yes alone may stand for yes and no."""
        known = columns[:, : self.num_columns]
        return torch.cat([1 - known, known], dim=1) if self.is_binary else known

    def balance(self, truths: Tensor) -> None:
        """Let each class of truths (N, S) count as much as any other that is there."""
        counts = self.shares(truths).sum(dim=0)
        is_there = counts > 0
        self.weights = torch.where(is_there, counts.sum() / (is_there.sum() * counts.clamp(min=1)), 1.0)

    def loss(self, outputs: Tensor, truths: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        """Cross-entropy of samples (B, S), weighted and of smoothed truths; then plain. Clips of one lie together."""
        whole = self.shares(truths)
        smooth = whole * (1 - smoothing) + smoothing / len(self.classes)
        logs = self.log_beliefs(outputs, len(truths))
        weights = (whole * self.weights.to(whole)).sum(dim=1)
        return -(weights * (smooth * logs).sum(dim=1)).mean(), -(whole * logs).sum(dim=1).mean()

    def log_beliefs(self, outputs: Tensor, count: int) -> Tensor:
        """(count, K): logarithms of probabilities of samples, of the outputs (count V, K') for their V clips."""
        logits, extra = outputs[:, : self.num_columns], outputs[:, self.num_columns :]
        if self.is_binary:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        clips = len(outputs) // max(count, 1)
        logs = functional.log_softmax(logits, dim=1).reshape(count, clips, len(self.classes))
        weights = functional.log_softmax(self.vote.log_weights(extra).reshape(count, clips, 1), dim=1)
        return torch.logsumexp(logs + weights, dim=1)

    def beliefs(self, outputs: Tensor) -> Tensor:
        """(B, S) of single clips; then, where the vote has it, how much each counts, from 0 to 1."""
        shares = self.log_beliefs(outputs, len(outputs)).exp()
        columns = shares[:, 1:] if self.is_binary else shares
        if not self.vote.extra_outputs:
            return columns
        weights = self.vote.log_weights(outputs[:, self.num_columns :]).exp()
        return torch.cat([columns, weights[:, None]], dim=1)
