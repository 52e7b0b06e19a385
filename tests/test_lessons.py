"""A lesson is a function of the seed and the step alone, and answers, warps and images speak of the same places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from apical.dataset import Dataset
from apical.frames import FrameStore
from apical.learner import Lesson
from apical.lessons import Labelled, Others, even_batches, lesson
from apical.moment import Moment
from apical.tasks._mask_answers import MaskAnswers, as_shown, traced_images
from apical.views import ViewConfig
from tests.tasks.painted import painted

SIZE = (36, 28)
MOVED = ViewConfig.model_validate({"count": 1, "place": {"zoom": [0.8, 1.25], "rotation_degrees": 20}})
BATCH = 6


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset", splits=["train"] * 3)


def labelled(dataset: Dataset, images: int | None = None, **changes: Any) -> Labelled:
    clips = dataset.usable_clips
    examples = traced_images(dataset, clips, ("lv", "myo", "la"))[:images]
    settings: dict[str, Any] = {"size": SIZE, "batch_size": BATCH, "fewest": 1, "most_steps": None, "seed": 0}
    answers = MaskAnswers(dataset, examples, ("lv", "myo", "la"))
    store = FrameStore.open(dataset, clips, "disk")
    return Labelled(dataset, clips, examples, answers, MOVED, store, **{**settings, **changes})


def others(dataset: Dataset, clips: pl.DataFrame | None = None, **changes: Any) -> Others:
    clips = dataset.usable_clips if clips is None else clips
    settings: dict[str, Any] = {"size": SIZE, "batch_size": BATCH, "seed": 0}
    return Others(dataset, clips, MOVED, FrameStore.open(dataset, clips, "disk"), **{**settings, **changes})


class Lessons:
    """Both kinds, opened together; `at` gives the lesson of a step."""

    def __init__(self, dataset: Dataset, **changes: Any) -> None:
        self.labelled, self.others = labelled(dataset, **changes), others(dataset, **changes)

    def at(self, step: int, part: int = 0, parts: int = 1) -> Lesson:
        moment = Moment(step, self.labelled.feed.steps_per_epoch, 9)
        return lesson(self.labelled, self.others, moment, part, parts)

    def close(self) -> None:
        self.labelled.feed.close()
        self.others.feed.close()


@pytest.fixture
def lessons(dataset: Dataset) -> Iterator[Lessons]:
    opened = Lessons(dataset)
    yield opened
    opened.close()


def tensors(of: Lesson) -> list[torch.Tensor]:
    assert of.unlabelled is not None
    return [of.images, of.answers, of.unlabelled.plain, of.unlabelled.changed, of.unlabelled.warps]


def same(one: Lesson, other: Lesson) -> bool:
    return all(torch.equal(first, second) for first, second in zip(tensors(one), tensors(other), strict=True))


def test_a_lesson_does_not_hang_on_what_was_asked_before(dataset: Dataset, lessons: Lessons) -> None:
    for step in (5, 0, 5, 13):
        fresh = Lessons(dataset)
        assert same(lessons.at(step), fresh.at(step))
        fresh.close()


def test_another_step_or_seed_gives_another_lesson(dataset: Dataset, lessons: Lessons) -> None:
    other = Lessons(dataset, seed=1)
    for step in (1, 2):
        pairs = zip(tensors(lessons.at(0)), tensors(lessons.at(step)), strict=True)
        assert not any(torch.equal(first, second) for first, second in pairs)
    assert not same(lessons.at(0), other.at(0))
    other.close()


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_laid_end_to_end_are_the_whole(lessons: Lessons, parts: int) -> None:
    for step in (0, 7):
        pieces = [tensors(lessons.at(step, part, parts)) for part in range(parts)]
        joined = [torch.cat(each) for each in zip(*pieces, strict=True)]
        for whole, laid in zip(tensors(lessons.at(step)), joined, strict=True):
            torch.testing.assert_close(laid, whole, rtol=0, atol=0)


def test_images_and_answers_have_the_size_that_is_worked_on(lessons: Lessons) -> None:
    at = lessons.at(0)
    assert [tuple(each.shape) for each in tensors(at)] == [
        (BATCH, 1, *SIZE),
        (BATCH, 3, *SIZE),
        (BATCH, 1, *SIZE),
        (BATCH, 1, *SIZE),
        (BATCH, 2, 3),
    ]


def test_answers_follow_their_images(lessons: Lessons) -> None:
    """Painted ventricles are dark in a bright wall, and the grey of each structure is known."""
    for step in range(4):
        at = lessons.at(step)
        for structure, (low, high) in enumerate([(0, 60), (120, 255), (60, 120)]):
            inside = at.images[:, 0][at.answers[:, structure] > 0.99] * 255
            assert len(inside) > 100
            assert ((low < inside) & (inside < high)).float().mean() > 0.93


def test_unlabelled_views_are_the_plain_images_where_the_warps_say(lessons: Lessons) -> None:
    for step in range(3):
        unlabelled = lessons.at(step).unlabelled
        assert unlabelled is not None
        moved = as_shown(unlabelled.plain, unlabelled.warps, SIZE)
        assert (moved - unlabelled.changed).abs().mean() < 0.02
        assert (unlabelled.plain - unlabelled.changed).abs().mean() > 0.04


def test_few_images_are_shown_again_and_again(dataset: Dataset) -> None:
    few = labelled(dataset, images=3, fewest=24, batch_size=8)
    assert few.feed.num_samples == 24
    assert few.feed.steps_per_epoch == 3
    seen = [few.part(Moment(step, 3, 2), 0, 1)[0] for step in range(3)]
    assert len({image.numpy().tobytes() for image in torch.cat(seen)}) == 24, "each time in another place"
    few.feed.close()


def test_fewer_images_than_a_batch_make_a_smaller_batch(dataset: Dataset) -> None:
    few = labelled(dataset, images=4, batch_size=64)
    assert few.feed.batch_size == 4
    few.feed.close()


def test_unlabelled_batches_may_be_larger_than_there_are_frames(dataset: Dataset) -> None:
    one = others(dataset, dataset.usable_clips[:1], batch_size=11)
    at = one.part(Moment(3, 5, 2), 0, 1)
    assert at.plain.shape == (11, 1, *SIZE)
    assert len({image.numpy().tobytes() for image in at.plain}) == 4, "every frame of the only clip"
    one.feed.close()


COUNTS = st.tuples(st.integers(1, 2000), st.integers(1, 128), st.sampled_from([1, 2, 3, 4, 8]))


@given(COUNTS)
def test_even_batches_are_not_too_large_and_leave_next_to_nothing_out(counts: tuple[int, int, int]) -> None:
    samples, most, parts = counts
    batch = even_batches(samples, most, parts)
    assert batch % parts == 0
    assert batch <= max(most, parts)
    batches = -(-samples // most)
    if samples >= batches * parts:
        assert samples - batches * batch < batches * parts


@pytest.mark.parametrize(
    ("samples", "most", "parts", "batch"),
    [
        (400, 16, 1, 16),
        (17, 16, 1, 8),
        (33, 16, 1, 11),
        (7, 16, 1, 7),
        (7, 16, 2, 6),
        (1, 16, 1, 1),
        (2, 16, 4, 4),
    ],
)
def test_batches_of_an_epoch_are_even(samples: int, most: int, parts: int, batch: int) -> None:
    assert even_batches(samples, most, parts) == batch
