"""What became of parcels in training, against counts by hand and the two ways in which it can go wrong."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from apical.methods._parcel_head import ParcelHead
from apical.methods.raptor import state_of
from tests.methods.test_raptor import method, noise


def test_one_parcel_for_all_tells_nothing() -> None:
    shares = functional.one_hot(torch.full((2, 3, 9), 2), 5).float()
    state = state_of(shares)
    assert state["alive"] == 1 == state["stability"]
    assert state["information"].abs() < 1e-6 > state["entropy"].abs()


def test_the_same_shares_for_all_tell_nothing() -> None:
    state = state_of(torch.full((2, 3, 9, 5), 0.2))
    assert float(state["entropy"]) == pytest.approx(1)
    assert float(state["information"]) == pytest.approx(0, abs=1e-6)
    assert float(state_of(noise(5).softmax(0).expand(2, 3, 9, 5))["information"]) == pytest.approx(
        0, abs=1e-6
    )


def test_sure_and_equally_used_parcels_tell_most() -> None:
    state = state_of(functional.one_hot(torch.arange(2 * 3 * 10).view(2, 3, 10) % 5, 5).float())
    assert state["alive"] == 5
    assert float(state["information"]) == pytest.approx(1)


def test_alive_and_stability_are_what_a_hand_counts() -> None:
    winners = torch.tensor([[[0, 1, 4, 4], [0, 1, 1, 4], [0, 0, 0, 0]]])
    state = state_of(0.6 * functional.one_hot(winners, 6) + 0.4 / 6)
    assert state["alive"] == 3
    assert float(state["stability"]) == pytest.approx((3 + 1) / 8)


def test_purity_is_what_a_hand_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    parcels = torch.tensor([[0, 0, 1, 1], [0, 2, 1, 1], [2, 2, 2, 1]])
    scores = functional.one_hot(parcels, 6).movedim(-1, 0)[None].float()
    monkeypatch.setattr(ParcelHead, "seen", lambda _self, _backbone, _images: scores)
    monkeypatch.setattr(ParcelHead, "maps", lambda _self, features: features)
    masks = torch.zeros(1, 2, 3, 4)
    masks[0, 0, :2, :2] = 1  # parcels 0 0 0 2
    masks[0, 1, :2, 2] = 1  # parcels 1 1
    found = method().traced_figures(torch.zeros(1, 1, 3, 4), masks)
    of_parcel_0, of_parcel_1, of_parcel_2 = 3, 3, 3
    assert found["purity"] == pytest.approx((of_parcel_0 + of_parcel_1 + of_parcel_2) / 12)
