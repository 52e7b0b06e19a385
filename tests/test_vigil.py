"""Training that makes no sense is stopped, with the step and something to try; training that does is left alone."""

from __future__ import annotations

import math

import pytest
import torch

from apical.errors import ApicalError
from apical.vigil import STEPS_IN_COLLAPSE, Vigil


def same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def test_figures_are_means_since_the_last_look() -> None:
    vigil = Vigil(0.01, "Rest.")
    for step, loss in enumerate([1.0, 2.0, 6.0], start=1):
        vigil.note(step, {"loss": torch.tensor(loss), "spread": torch.tensor(1.0)})
    assert vigil.settle(same) == {"loss": 3.0, "spread": 1.0}
    assert vigil.settle(same) == {}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_at_its_step(bad: float) -> None:
    vigil = Vigil(None, "Lower the learning rate.")
    for step, loss in enumerate([1.0, bad, 2.0], start=7):
        vigil.note(step, {"loss": torch.tensor(loss)})
    with pytest.raises(ApicalError, match="step 8") as error:
        vigil.settle(same)
    assert "Lower the learning rate" in str(error.value)


def test_collapse_stops_and_a_short_dip_does_not() -> None:
    vigil = Vigil(0.01, "Rest.")
    for step in range(STEPS_IN_COLLAPSE - 1):
        vigil.note(step, {"loss": torch.tensor(1.0), "spread": torch.tensor(0.001)})
    vigil.note(STEPS_IN_COLLAPSE, {"loss": torch.tensor(1.0), "spread": torch.tensor(0.5)})
    vigil.settle(same)
    assert vigil.low_steps == 0
    for step in range(100, 100 + STEPS_IN_COLLAPSE):
        vigil.note(step, {"loss": torch.tensor(1.0), "spread": torch.tensor(0.001)})
    with pytest.raises(ApicalError, match=f"at step {99 + STEPS_IN_COLLAPSE}"):
        vigil.settle(same)


def test_the_count_of_collapsed_steps_outlives_a_restart() -> None:
    vigil = Vigil(0.01, "Rest.", low_steps=STEPS_IN_COLLAPSE - 1)
    vigil.note(60, {"loss": torch.tensor(1.0), "spread": torch.tensor(0.0)})
    with pytest.raises(ApicalError, match="collapsed"):
        vigil.settle(same)


def test_nothing_is_collapsed_where_the_watch_is_off() -> None:
    vigil = Vigil(None, "Rest.")
    for step in range(2 * STEPS_IN_COLLAPSE):
        vigil.note(step, {"loss": torch.tensor(1.0), "spread": torch.tensor(0.0)})
    assert vigil.settle(same)["spread"] == 0
