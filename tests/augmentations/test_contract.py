"""What every augmentation keeps to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from apical import registry
from apical.augmentations.base import Augmentation, Draw

NAMES = registry.names("augmentations")
COUNT, HEIGHT, WIDTH = 13, 45, 37


def piece(name: str, **settings: object) -> Augmentation:
    kind: type[Augmentation] = registry.load("augmentations", name)
    return kind(kind.Config.model_validate(settings))


def images(frames: int = 1, count: int = COUNT, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    made = torch.rand((count, frames, height, width), generator=torch.Generator().manual_seed(1))
    made[:, :, :, :5] = 0
    made[:, :, 9, 9] = 1
    return made


def applied(name: str, given: Tensor, seed: int = 5, **settings: object) -> Tensor:
    chosen = piece(name, **settings)
    return chosen.apply(given.clone(), chosen.draw(np.random.default_rng(seed), len(given)))


def part(draw: Draw, samples: slice) -> Draw:
    return {name: values[samples] for name, values in draw.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_carry_the_name_of_the_file(name: str) -> None:
    assert piece(name).config.name == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("frames", [1, 3])
def test_images_keep_their_shape_and_stay_in_range(name: str, frames: int) -> None:
    given = images(frames)
    changed = applied(name, given, probability=1.0)
    assert changed.shape == given.shape
    assert changed.dtype == torch.float32
    assert changed.isfinite().all()
    assert changed.min() >= 0
    assert changed.max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_every_image_is_changed_in_a_way_of_its_own(name: str) -> None:
    given = images(count=1).expand(COUNT, -1, -1, -1)
    changed = applied(name, given, probability=1.0)
    assert (changed != given).flatten(1).any(dim=1).all()
    distinct = len(torch.unique(changed.flatten(1), dim=0))
    assert distinct == (1 if name == "solarise" else COUNT)


@pytest.mark.parametrize("name", NAMES)
def test_no_image_is_changed_with_a_probability_of_0(name: str) -> None:
    assert torch.equal(applied(name, images(), probability=0.0), images())


@pytest.mark.parametrize("name", NAMES)
def test_the_share_of_changed_images_is_the_probability(name: str) -> None:
    given = images(count=400, height=12, width=12)
    is_changed = (applied(name, given, probability=0.3) != given).flatten(1).any(dim=1)
    assert 0.2 < is_changed.float().mean() < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_what_an_image_becomes_does_not_hang_on_whether_others_are_changed(name: str) -> None:
    always, at_times = (applied(name, images(), probability=share) for share in (1.0, 0.5))
    is_changed = (at_times != images()).flatten(1).any(dim=1)
    assert 0 < is_changed.sum() < COUNT
    assert torch.equal(at_times[is_changed], always[is_changed])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (201, 203)])
@pytest.mark.parametrize("name", NAMES)
def test_a_draw_replays_and_a_part_of_it_does_the_same_bit_for_bit(
    name: str, size: tuple[int, int], threads: int
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        given = images(2, 7, *size)
        chosen = piece(name)
        draw = chosen.draw(np.random.default_rng(2), len(given))
        whole = chosen.apply(given.clone(), draw)
        assert torch.equal(chosen.apply(given.clone(), draw), whole)
        for samples in (slice(0, 1), slice(3, 4), slice(1, 6), slice(5, 7)):
            assert torch.equal(chosen.apply(given[samples].clone(), part(draw, samples)), whole[samples])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
def test_a_draw_is_a_pure_function_of_the_generator(name: str) -> None:
    one, same, other = (piece(name).draw(np.random.default_rng(seed), COUNT) for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)
    assert all(len(values) == COUNT for values in one.values())
    assert all(values.device.type == "cpu" for values in one.values())


@pytest.mark.parametrize("name", NAMES)
def test_no_global_generator_is_touched(name: str) -> None:
    before = torch.get_rng_state()
    numpy_before = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    applied(name, images(), probability=1.0)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpy_before  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("name", NAMES)
def test_equal_frames_of_a_clip_stay_equal(name: str) -> None:
    changed = applied(name, images().expand(-1, 3, -1, -1), probability=1.0)
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert torch.equal(changed[:, 0], changed[:, 2])
