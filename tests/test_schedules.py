"""The learning rate of every step, against tables written out by hand and against torch's own scheduler."""

from __future__ import annotations

import math

import pytest
import torch

from apical.moment import Moment
from apical.schedules import Schedule, cosine

STEPS_PER_EPOCH = 4
EPOCHS = 5


def values(schedule: Schedule, peak: float = 0.8, steps_per_epoch: int = STEPS_PER_EPOCH) -> list[float]:
    steps = range(steps_per_epoch * EPOCHS)
    return [schedule.value(peak, Moment(step, steps_per_epoch, EPOCHS)) for step in steps]


def torch_cosine(peak: float, final: float, steps: int) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=final)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


def test_a_cosine_falls_slowly_then_fast_then_slowly() -> None:
    fractions = [0, 1 / 3, 1 / 2, 2 / 3, 1]
    assert [cosine(1, 0, fraction) for fraction in fractions] == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_a_cosine_rises_too_and_stays_within_its_ends() -> None:
    assert [cosine(0.996, 1, fraction) for fraction in (-1, 0, 0.5, 1, 2)] == pytest.approx(
        [0.996, 0.996, 0.998, 1, 1]
    )


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_without_warm_up_it_is_torchs_cosine(final: float) -> None:
    assert values(Schedule(final=final)) == pytest.approx(torch_cosine(0.8, final, 20))


def test_the_warm_up_is_a_line_to_the_peak() -> None:
    """By its last step the rate is whole, and the cosine begins at the next one."""
    found = values(Schedule(warmup_epochs=2))
    assert found[:9] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.8])
    assert found[8:] == pytest.approx(torch_cosine(0.8, 0.0, 12))


def test_part_of_an_epoch_can_warm_up() -> None:
    assert values(Schedule(warmup_epochs=0.5))[:3] == pytest.approx([0.4, 0.8, 0.8])


def test_a_constant_stays_after_the_warm_up() -> None:
    assert values(Schedule(shape="constant", warmup_epochs=1)) == pytest.approx([0.2, 0.4, 0.6] + 17 * [0.8])


def test_by_epoch_all_steps_of_an_epoch_are_alike() -> None:
    """As if each epoch were one step."""
    found = values(Schedule(warmup_epochs=2, by="epoch"))
    coarse = values(Schedule(warmup_epochs=2), steps_per_epoch=1)
    assert found == pytest.approx([rate for rate in coarse for _ in range(STEPS_PER_EPOCH)])
    assert coarse == pytest.approx([0.4, 0.8, 0.8, 0.6, 0.2])


@pytest.mark.parametrize("by", ["step", "epoch"])
@pytest.mark.parametrize("warmup_epochs", [0.0, 0.3, 5.0, 9.0])
def test_no_step_stands_still_or_goes_beyond_the_peak(by: str, warmup_epochs: float) -> None:
    found = values(Schedule.model_validate({"by": by, "warmup_epochs": warmup_epochs}))
    assert all(0 < rate <= 0.8 and math.isfinite(rate) for rate in found)
    assert all(isinstance(rate, float) for rate in found)
