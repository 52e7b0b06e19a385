"""The doctor tells what training will take, and what is missing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from apical import doctor
from apical.doctor import findings


def told() -> dict[str, str]:
    return {finding.name: finding.value for finding in findings()}


@pytest.fixture
def only_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without accelerators."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("only_a_cpu")
@pytest.mark.parametrize(
    ("has_bf16", "has_amx", "bf16", "precision"),
    [
        (True, True, "in hardware (AMX)", "bf16-mixed"),
        (True, False, "in hardware (AVX-512)", "bf16-mixed"),
        (False, False, "emulated", "32-true"),
    ],
)
def test_what_a_processor_gains_from_bf16(
    has_bf16: bool, has_amx: bool, bf16: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    assert told()["cpu bf16"].startswith(bf16)
    assert told()["training"] == f"on cpu, in {precision} unless told otherwise"
    assert told()["accelerator"].startswith("none")


def test_graphics_cards_are_listed_and_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(name="Card", total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr("apical.precision.gains_from_bf16", lambda _: True)
    assert told()["cuda:0"] == told()["cuda:1"] == "Card, 24 GiB, bf16"
    assert told()["training"] == "on cuda, in bf16-mixed unless told otherwise"
    assert "accelerator" not in told()


@pytest.mark.parametrize("extra", ["tensorboard", "mlflow", "wandb"])
def test_an_extra_is_there_or_how_to_get_it_is_told(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_is_installed", lambda _: True)
    assert told()[f"extra '{extra}'"] == "installed"
    monkeypatch.setattr(doctor, "_is_installed", lambda _: False)
    assert told()[f"extra '{extra}'"].endswith(f"pip install 'apical[{extra}]'")
    assert told()[f"extra '{extra}'"].startswith("missing ")
