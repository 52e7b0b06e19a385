"""Which arithmetic training takes, by wish and by device."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from apical.precision import gains_from_bf16, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_takes_bf16_where_the_processor_multiplies_it(
    has_bf16: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    assert gains_from_bf16(CPU) is has_bf16
    assert resolve_precision("auto", CPU) == precision


@pytest.mark.parametrize("has_bf16", [True, False])
@pytest.mark.parametrize(("wish", "precision"), [("32", "32-true"), ("bf16", "bf16-mixed")])
def test_a_wish_goes_before_the_hardware(
    wish: Literal["32", "bf16"], precision: str, has_bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    assert resolve_precision(wish, CPU) == precision


def test_where_nothing_was_measured_auto_stays_with_float32() -> None:
    assert resolve_precision("auto", torch.device("mps")) == "32-true"


@pytest.mark.skipif(not hasattr(torch.cpu, "get_capabilities"), reason="this torch can't be asked otherwise")
def test_this_processor_is_asked() -> None:
    knows = torch.cpu.get_capabilities().get("avx512_bf16", False)
    assert gains_from_bf16(CPU) == knows


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gains_from_ampere_on() -> None:
    assert gains_from_bf16(torch.device("cuda", 0)) == (torch.cuda.get_device_capability(0) >= (8, 0))
