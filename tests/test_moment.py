"""Every step knows its epoch, and how much of training is behind it."""

from __future__ import annotations

import pytest

from apical.moment import Moment


def test_steps_fill_epochs_one_after_another() -> None:
    moments = [Moment(step, steps_per_epoch=3, epochs=2) for step in range(6)]
    assert [moment.epoch for moment in moments] == [0, 0, 0, 1, 1, 1]
    assert [moment.step_in_epoch for moment in moments] == [0, 1, 2, 0, 1, 2]


def test_the_fraction_goes_from_0_to_1() -> None:
    assert [Moment(step, 2, 2).fraction for step in range(5)] == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(("step", "epoch"), [(0, 0), (5, 1), (6, 2)])
def test_another_step_is_of_the_same_training(step: int, epoch: int) -> None:
    moment = Moment(2, 3, 2).after(step)
    assert (moment.step, moment.epoch, moment.steps) == (step, epoch, 6)
