"""Views: groups, sources, warps, replay and parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from apical import registry, views
from apical.config import dump_config, read_config
from apical.errors import ApicalError
from apical.views import ViewConfig, ViewDraw, Views

HEIGHT, WIDTH = 40, 36
EVERYTHING = {name: {"probability": 0.6} for name in registry.names("augmentations")}


def make(**groups: dict[str, Any]) -> Views:
    config = {group: ViewConfig.model_validate(settings) for group, settings in groups.items()}
    return Views(config, HEIGHT, WIDTH)


def sources(count: int = 9, videos: int = 1, frames: int = 1) -> Tensor:
    shape = (count, videos, frames, HEIGHT, WIDTH)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def drawn(made: Views, count: int = 9, seed: int = 0) -> ViewDraw:
    return made.draw(np.random.default_rng(seed), count, None)


STILL: dict[str, Any] = {"crop": {"scale": (1.0, 1.0), "ratio": (0.9, 0.9), "flip_probability": 0}}
DINO: dict[str, dict[str, Any]] = {
    "wide": {"count": 2, "size": 32, "crop": {"scale": (0.4, 1)}, "augmentations": {"blur": {}}},
    "local": {"count": 3, "size": 16, "crop": {"scale": (0.05, 0.4)}, "augmentations": EVERYTHING},
}


def test_groups_have_as_many_views_as_asked_of_the_size_asked() -> None:
    made = make(**DINO, own={"count": 1})
    shown, warps = made.apply(sources(), drawn(made))
    assert {group: [tuple(view.shape) for view in group_views] for group, group_views in shown.items()} == {
        "wide": [(9, 1, 32, 32)] * 2,
        "local": [(9, 1, 16, 16)] * 3,
        "own": [(9, 1, HEIGHT, WIDTH)],
    }
    assert {group: [tuple(warp.shape) for warp in of_group] for group, of_group in warps.items()} == {
        "wide": [(9, 2, 3)] * 2,
        "local": [(9, 2, 3)] * 3,
        "own": [(9, 2, 3)],
    }
    for view in [view for of_group in shown.values() for view in of_group]:
        assert view.dtype == torch.float32
        assert 0 <= view.min() < view.max() <= 1


def test_clips_keep_their_frames_on_an_axis_of_their_own() -> None:
    made = make(pair={"count": 2, "size": 20, "augmentations": EVERYTHING})
    still = sources(frames=1).expand(-1, -1, 4, -1, -1)
    shown, _ = made.apply(still, drawn(made))
    for clip in shown["pair"]:
        assert clip.shape == (9, 1, 4, 20, 20)
        assert (clip == clip[:, :, :1]).all()


def test_views_take_turns_over_the_videos_of_a_sample_across_groups() -> None:
    made = make(first={"count": 1, **STILL}, second={"count": 2, **STILL})
    given = sources(videos=2)
    shown, _ = made.apply(given, drawn(made))
    for view, video in zip([*shown["first"], *shown["second"]], (0, 1, 0), strict=True):
        torch.testing.assert_close(view[:, 0], given[:, video, 0] / 255, atol=1e-6, rtol=0)


def test_views_of_a_sample_differ() -> None:
    made = make(pair={"count": 2})
    (one, two), (warp, other_warp) = (group["pair"] for group in made.apply(sources(), drawn(made)))
    assert (one != two).flatten(1).any(dim=1).all()
    assert (warp != other_warp).flatten(1).any(dim=1).all()


def flat(made: Views, given: Tensor, draw: ViewDraw) -> list[Tensor]:
    return [
        tensor for groups in made.apply(given, draw) for of_group in groups.values() for tensor in of_group
    ]


@pytest.mark.parametrize("cache_bytes", [1, 3 * 32 * 32 * 4, views.CACHE_BYTES])
@pytest.mark.parametrize("rotation", [0.0, 15.0])
def test_a_part_of_a_draw_gives_that_part_of_the_views_bit_for_bit(
    cache_bytes: int, rotation: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = {group: dict(settings) for group, settings in DINO.items()}
    groups["local"]["crop"] = {"rotation_degrees": rotation, "rotation_probability": 0.5}
    made = make(**groups)
    given, draw = sources(9, 2), drawn(made)
    whole = flat(made, given, draw)
    assert all(torch.equal(one, again) for one, again in zip(whole, flat(made, given, draw), strict=True))
    monkeypatch.setattr(views, "CACHE_BYTES", cache_bytes)
    for samples in (slice(0, 9), slice(0, 1), slice(2, 6), slice(6, 9)):
        for one, part in zip(whole, flat(made, given[samples], draw.part(samples)), strict=True):
            assert torch.equal(one[samples], part)


def test_a_part_that_makes_smaller_less_gives_the_same() -> None:
    """Each view's taps are as many as the greatest reduction in its part needs."""
    made = make(local={"count": 1, "size": 8, "crop": {"scale": (0.01, 1.0), "interpolation": "bicubic"}})
    given, draw = sources(), drawn(made)
    (whole, _) = flat(made, given, draw)
    for index in range(9):
        alone = slice(index, index + 1)
        assert torch.equal(flat(made, given[alone], draw.part(alone))[0], whole[alone])


def test_sources_are_left_as_they_are() -> None:
    made = make(pair={"augmentations": EVERYTHING})
    given = sources()
    made.apply(given, drawn(made))
    assert torch.equal(given, sources())


def test_sectors_are_asked_for_only_if_a_crop_looks_at_them() -> None:
    assert not make(pair={}).wants_sectors
    aware = make(pair={}, local={"crop": {"sector_aware": 0.5}})
    assert aware.wants_sectors
    sectors = torch.zeros(60, 16, 16)
    sectors[:, :, 8:] = 1
    with_sectors = aware.draw(np.random.default_rng(0), 60, sectors).views["local"][0].crop["warps"]
    without = aware.draw(np.random.default_rng(0), 60, None).views["local"][0].crop["warps"]
    assert with_sectors[:, 0, 2].mean() > without[:, 0, 2].mean() + 0.05


def test_settings_come_back_from_yaml(tmp_path: Any) -> None:
    config = ViewConfig.model_validate(DINO["local"])
    path = tmp_path / "view.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert read_config(ViewConfig, path) == config


def test_an_unknown_augmentation_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ApicalError, match="Did you mean 'blur'"):
        ViewConfig.model_validate({"augmentations": {"blurr": {}}})
