"""Checkpoints are whole or not there, give back what went in, and never run what they hold."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from apical import checkpoint
from apical.checkpoint import optimiser_state, read_about, read_tensors, restore_optimiser, write_tensors
from apical.errors import ApicalError, MachineError


def test_what_is_written_is_read_bit_for_bit(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4, 5, 6).to(memory_format=torch.channels_last), "b": torch.arange(4)}
    about = {"step": 3, "loss": 0.1 + 0.2}
    write_tensors(tmp_path / "x.safetensors", tensors, about)
    found, told = read_tensors(tmp_path / "x.safetensors")
    assert told == about == read_about(tmp_path / "x.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left")])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.zeros(2)}, {"step": 1})

    def fail(tensors: object, place: Path, metadata: object) -> None:
        del tensors, metadata
        place.write_bytes(b"half")
        raise error

    monkeypatch.setattr(checkpoint, "save_file", fail)
    with pytest.raises(MachineError, match="can't be written"):
        write_tensors(path, {"a": torch.ones(2)}, {"step": 2})
    assert read_about(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (tmp_path / "ran").touch, ()

    (tmp_path / "x.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ApicalError, match="no whole safetensors"):
        read_tensors(tmp_path / "x.safetensors")
    assert not (tmp_path / "ran").exists()


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.zeros(100)}, {})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ApicalError, match="no whole safetensors"):
        read_tensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="no such file"):
        read_about(tmp_path / "none.safetensors")


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_an_optimiser_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, kind: Callable[..., torch.optim.Optimizer]
) -> None:
    def step(net: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad()
        net(torch.ones(2, 1, 8, 8)).square().mean().backward()
        optimiser.step()

    settings: dict[str, Any] = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    torch.manual_seed(0)
    net = nn.Conv2d(1, 4, 3).to(memory_format=torch.channels_last)
    optimiser = kind(net.parameters(), lr=0.1, **settings)
    step(net, optimiser)
    tensors, rest = optimiser_state(optimiser)
    weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    write_tensors(tmp_path / "x.safetensors", tensors, rest)
    step(net, optimiser)

    other = nn.Conv2d(1, 4, 3).to(memory_format=torch.channels_last)
    other.load_state_dict(weights)
    again = kind(other.parameters(), lr=0.5, **settings)
    restore_optimiser(again, *read_tensors(tmp_path / "x.safetensors"))
    step(other, again)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
