"""All frames, or as many of each clip as asked for; never one twice in an epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apical.sampling.frames import Frames, FramesConfig
from tests.sampling.tiny import tiny_dataset

LENGTHS = [3, 1, 7]


def rule(folder: Path, per_clip: int | None) -> Frames:
    dataset = tiny_dataset(folder, LENGTHS)
    return Frames(FramesConfig(per_clip=per_clip), dataset, dataset.usable_clips)


def drawn(sampling: Frames, seed: int) -> list[tuple[int, int]]:
    samples = sampling.draw(np.random.default_rng(seed))
    return list(zip(samples.clips[:, 0].tolist(), samples.frames[:, 0, 0].tolist(), strict=True))


def test_every_frame_of_every_clip_is_shown_once(tmp_path: Path) -> None:
    expected = [(clip, frame) for clip, length in enumerate(LENGTHS) for frame in range(length)]
    assert sorted(drawn(rule(tmp_path, None), 0)) == expected


@pytest.mark.parametrize("per_clip", [1, 2, 5, 100])
def test_a_clip_shows_as_many_different_frames_as_asked_for_or_all(tmp_path: Path, per_clip: int) -> None:
    sampling = rule(tmp_path, per_clip)
    pairs = drawn(sampling, 0)
    assert len(pairs) == len(set(pairs)) == sampling.num_samples
    counts = [sum(clip == row for clip, _ in pairs) for row in range(3)]
    assert counts == [min(per_clip, length) for length in LENGTHS]
    assert all(0 <= frame < LENGTHS[clip] for clip, frame in pairs)


def test_frames_of_a_clip_are_equally_likely(tmp_path: Path) -> None:
    sampling, shown = rule(tmp_path, 2), np.zeros(7)
    for seed in range(2000):
        for clip, frame in drawn(sampling, seed):
            shown[frame] += clip == 2
    expected = 2000 * 2 / 7
    chi_squared = ((shown - expected) ** 2 / expected).sum()
    assert chi_squared < 22.5  # 0.1 % of fair draws lie beyond, and this one is always the same


def test_a_draw_is_a_function_of_the_generator_alone(tmp_path: Path) -> None:
    sampling = rule(tmp_path, 2)
    first = drawn(sampling, 5)
    assert drawn(sampling, 6) != first
    assert drawn(sampling, 5) == first


def test_clips_that_are_shorter_than_asked_for_are_counted(tmp_path: Path) -> None:
    assert (rule(tmp_path, 5).remark or "").startswith("2 clips have fewer than 5 frames")
    assert rule(tmp_path, None).remark is None
    assert rule(tmp_path, 1).remark is None
