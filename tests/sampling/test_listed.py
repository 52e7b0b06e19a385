"""Listed frames: these and no others, whole rounds of them until there are enough."""

from __future__ import annotations

import numpy as np
import pytest

from apical import registry
from apical.sampling._listed import Listed, ListedConfig

CLIPS, FRAMES = np.array([0, 0, 2]), np.array([1, 5, 3])


def listed(fewest: int) -> Listed:
    return Listed(ListedConfig(fewest=fewest), CLIPS, FRAMES)


@pytest.mark.parametrize(("fewest", "turns"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_all_frames_are_shown_equally_often_until_there_are_enough(fewest: int, turns: int) -> None:
    rule = listed(fewest)
    sampled = rule.draw(np.random.default_rng(0))
    shown = sorted(zip(sampled.clips[:, 0].tolist(), sampled.frames[:, 0, 0].tolist(), strict=True))
    assert rule.num_samples == len(sampled) == 3 * turns >= fewest
    assert shown == sorted(list(zip(CLIPS.tolist(), FRAMES.tolist(), strict=True)) * turns)
    assert sampled.clips.shape == (3 * turns, 1)
    assert sampled.frames.shape == (3 * turns, 1, 1)


def test_every_epoch_is_the_same() -> None:
    first, second = (listed(5).draw(np.random.default_rng(seed)) for seed in (0, 1))
    np.testing.assert_array_equal(first.clips, second.clips)
    np.testing.assert_array_equal(first.frames, second.frames)


def test_it_leaves_nothing_out_and_is_no_rule_that_a_user_names() -> None:
    assert listed(1).remark is None
    assert "listed" not in registry.names("sampling")
    assert "_listed" not in registry.names("sampling")
