"""Before its first checkpoint is whole, a run has nothing to go on from: it is begun anew, and ends the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from apical import checkpoint
from apical.checkpoint import read_tensors
from apical.dataset import Dataset
from apical.pretrain import pretrain
from tests.test_pretrain import SIMCLR


@pytest.fixture(scope="module")
def dataset(phantom_dataset: Callable[..., Dataset]) -> Dataset:
    return phantom_dataset("echonet_dynamic")


@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_a_run_that_stopped_at_any_of_its_first_writes_goes_on(
    write: int, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pretrain("simclr", tmp_path / "whole", data=dataset.folder, overrides=SIMCLR)
    written: list[str] = []

    def stop(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        written.append(path.name)
        if len(written) == write:
            raise KeyboardInterrupt
        save_file(tensors, path, metadata=metadata)

    monkeypatch.setattr(checkpoint, "save_file", stop)
    overrides = [*SIMCLR, "checkpoint_seconds=0"]
    with pytest.raises(KeyboardInterrupt):
        pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=overrides)
    run = pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=overrides, resume=True)
    for file in ("last.safetensors", "best.safetensors"):
        weights, others = (read_tensors(each.folder / "checkpoints" / file)[0] for each in (run, whole))
        assert all(torch.equal(weights[name], others[name]) for name in others)
