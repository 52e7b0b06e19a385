"""From clips to studies: means are taken in the right order, and attention overlooks what it is told to."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from apical.tasks._diagnosis_head import ClassHead
from apical.tasks._study_votes import VOTES

LOOKS = pl.DataFrame(
    {
        "patient": ["p", "p", "p", "q"],
        "study": ["s", "s", "s", "t"],
        "clip": ["a", "a", "b", "c"],
        "weight": [1.0, 1.0, 0.5, 0.0],
        "p_yes": [0.2, 0.4, 0.9, 0.7],
    }
)


def test_the_mean_is_over_looks_and_then_over_videos() -> None:
    found = VOTES["mean"]().of_studies(LOOKS, ["p_yes"])
    assert found["p_yes"].to_list() == pytest.approx([(0.3 + 0.9) / 2, 0.7])
    assert found["study"].to_list() == ["s", "t"]


def test_attention_weighs_all_looks_and_does_without_weights_where_none_counts() -> None:
    found = VOTES["attention"]().of_studies(LOOKS, ["p_yes"])
    assert found["p_yes"].to_list() == pytest.approx([(0.2 + 0.4 + 0.45) / 2.5, 0.7])


def test_what_is_learnt_is_what_is_judged() -> None:
    """The loss of several videos together is that of the beliefs that the study's clips come to."""
    vote = VOTES["attention"]()
    head = ClassHead(("no", "yes"), vote)
    outputs = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    together = head.log_beliefs(outputs, 2).exp()
    single = head.beliefs(outputs)
    looks = pl.DataFrame(
        {
            "patient": ["p"] * 6,
            "study": ["s", "s", "s", "t", "t", "t"],
            "clip": list("abcdef"),
            "p_yes": single[:, 0].double().numpy(),
            "weight": single[:, 1].double().numpy(),
        }
    )
    assert vote.of_studies(looks, ["p_yes"])["p_yes"].to_list() == pytest.approx(
        together[:, 1].tolist(), rel=1e-5
    )


def test_a_clip_that_counts_nothing_teaches_nothing() -> None:
    head = ClassHead(("no", "yes"), VOTES["attention"]())
    outputs = torch.tensor([[0.3, 5.0], [2.0, -60.0]], requires_grad=True)
    loss, _ = head.loss(outputs, torch.tensor([[1.0]]), 0.0)
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert abs(gradient[0, 0]) > 0.1
    assert abs(gradient[1, 0]) < 1e-6
