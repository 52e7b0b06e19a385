"""Frozen eyes: what a run with parcels keeps, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.finetune import finetune
from apical.run import Run
from apical.sight import sight_of
from tests.tasks.parcelled import PARCELS, TASK, TINY, ParcelRuns, fitted


@pytest.fixture
def dataset(parcel_runs: ParcelRuns) -> Dataset:
    return parcel_runs.dataset


@pytest.fixture
def plain(parcel_runs: ParcelRuns) -> Run:
    return parcel_runs.plain


@pytest.fixture
def parcelled(parcel_runs: ParcelRuns) -> Run:
    return parcel_runs.parcelled


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are slow, and nobody looks at them here."""
    monkeypatch.setattr("apical.finetune.report_fitting", lambda _run, _job: None)


def test_a_run_with_parcels_keeps_head_and_encoder(parcelled: Run, plain: Run) -> None:
    for which in ("last", "best"):
        weights, start = parcelled.weights(which), plain.weights("best")
        head = {name: tensor for name, tensor in weights.items() if name.startswith("head.")}
        assert weights.keys() == {*start, *head}
        assert all(weights[name].equal(start[name]) for name in start)
        assert head["head.layers.2.weight"].shape == (PARCELS, 24)
    sight = sight_of(parcelled, parcels=True)
    assert not sight.training
    assert sight(torch.rand(2, 1, 48, 40)).shape == (2, PARCELS, 48, 40)
    assert sight_of(parcelled, parcels=False)(torch.rand(2, 1, 48, 40)).shape == (2, 24)


def test_training_counts_what_became_of_the_parcels(parcelled: Run) -> None:
    last = parcelled.metrics[-1]
    assert {"self", "clip", "other", "val_loss", "val_alive", "val_information", "val_stability"} <= set(last)
    assert 1 < last["val_alive"] <= PARCELS
    assert last["val_information"] > 0.1
    assert 0.5 < last["val_purity"] <= 1
    assert last["loss"] < parcelled.metrics[0]["loss"]


def test_a_run_without_parcels_is_refused_with_the_remedy(
    dataset: Dataset, plain: Run, tmp_path: Path
) -> None:
    with pytest.raises(ApicalError, match=r"no parcels.*apical pretrain raptor --init eyes"):
        fitted(dataset, plain, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ApicalError, match="Add --init RUN"):
        finetune(TASK, tmp_path / "run", data=dataset.folder, overrides=TINY)


@pytest.mark.usefixtures("without_pictures")
def test_views_by_the_same_encoder_look_at_its_vectors_alone(
    dataset: Dataset, parcelled: Run, tmp_path: Path
) -> None:
    init = str(parcelled.folder)
    views = finetune("echo_view", tmp_path / "views", data=dataset.folder, init=init, overrides=TINY[:2])
    assert views.config["head"] is None
    with pytest.raises(ApicalError, match="no parcels"):
        fitted(dataset, views, tmp_path / "run")
