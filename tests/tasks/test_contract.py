"""What every task keeps, whoever wrote it: each is settled on painted hearts and given outputs, good and bad."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor

from apical import registry
from apical.dataset import Dataset
from apical.finetuning import FinetuneConfig
from apical.pictures.run_sheet import Sheet, draw_run
from apical.tasks.base import Task, TrainedTask
from tests.tasks.painted import painted

NAMES = registry.names("tasks")
TRAINED = [name for name in NAMES if issubclass(registry.load("tasks", name), TrainedTask)]
COUNT = 6
EXACT: dict[str, dict[str, Any]] = {"diagnosis": {"smoothing": 0.0}}
"""Settings under which a perfect answer costs nothing."""
WHOLE = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]).expand(COUNT, 2, 3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset")


def built(name: str, dataset: Dataset) -> Task:
    kind: type[Task] = registry.load("tasks", name)
    return kind(kind.settled(kind.Config(name=name, **EXACT.get(name, {})), dataset))


@pytest.fixture(params=NAMES)
def any_task(request: pytest.FixtureRequest, dataset: Dataset) -> Task:
    return built(request.param, dataset)


@pytest.fixture(params=TRAINED)
def task(request: pytest.FixtureRequest, dataset: Dataset) -> TrainedTask:
    trained = built(request.param, dataset)
    assert isinstance(trained, TrainedTask)
    return trained


def answers_of(task: Task, dataset: Dataset, first: int = 0) -> Tensor:
    """Of some examples, at the size they are stored at."""
    examples = task.examples(dataset, dataset.usable_clips)
    places = torch.arange(first, first + COUNT)
    return task.answers(dataset, examples).at(places, None, dataset.frame_size)


def guesses(task: TrainedTask, answers: Tensor, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(len(answers), task.num_outputs, *answers.shape[2:], generator=random)


def learnt(task: TrainedTask, answers: Tensor) -> Tensor:
    """Outputs that have followed the gradient of the loss for long: as good as can be."""
    outputs = torch.zeros_like(guesses(task, answers)).requires_grad_()
    optimiser = torch.optim.Adam([outputs], lr=0.5)
    for _ in range(60):
        optimiser.zero_grad()
        torch.autograd.backward(task.loss(outputs, answers)["loss"])
        optimiser.step()
    return outputs.detach()


def rows_of(
    task: TrainedTask, dataset: Dataset, outputs: Tensor
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a judge says of outputs for the first examples."""
    judge = task.judge(dataset, dataset.frame_size)
    examples = task.looks(dataset, task.examples(dataset, dataset.usable_clips)[:COUNT])
    assert len(examples) == COUNT, "the clips are too short for more than one look at each"
    scores, found = [], []
    for row, beliefs in zip(examples.iter_rows(named=True), task.beliefs(outputs), strict=True):
        own_scores, own_found = judge.judge(row["clip"], row["frame"], beliefs)
        scores += own_scores
        found += own_found
    return scores, found


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_bear_the_name_of_the_file_and_are_explained(name: str) -> None:
    config = registry.load("tasks", name).Config()
    assert config.name == name
    assert [field for field, about in type(config).model_fields.items() if not about.description] == ["name"]


def test_settled_settings_leave_nothing_open_and_settle_to_themselves(
    any_task: Task, dataset: Dataset
) -> None:
    assert None not in any_task.config.model_dump().values()
    assert type(any_task).settled(any_task.config, dataset) == any_task.config


def test_the_defaults_are_settings_of_a_finetuning(task: TrainedTask) -> None:
    settings = {
        "data": "here",
        "task": task.config,
        "network": "unet",
        "backbone": "unet_encoder",
        "size": 32,
    }
    config = FinetuneConfig.model_validate({**settings, **task.defaults})
    assert config.score in {"val_loss", "last", task.score}


def test_examples_are_labelled_frames_of_the_clips_that_were_asked_for(
    any_task: Task, dataset: Dataset
) -> None:
    clips = dataset.usable_clips[2:7]
    examples = any_task.examples(dataset, clips)
    assert not examples.is_empty()
    assert set(examples.columns) >= {"row", "clip", "frame", "patient"}
    for row in examples.iter_rows(named=True):
        about = clips.row(row["row"], named=True)
        assert (about["clip"], about["patient"]) == (row["clip"], row["patient"])
        assert 0 <= row["frame"] < about["num_frames"]
    assert any_task.examples(dataset, clips[:0]).is_empty()


def test_answers_are_those_of_the_examples_asked_for(any_task: Task, dataset: Dataset) -> None:
    every = answers_of(any_task, dataset, 0)
    answers = any_task.answers(dataset, any_task.examples(dataset, dataset.usable_clips))
    some = answers.at(torch.tensor([4, 1]), None, dataset.frame_size)
    assert torch.equal(some, every[[4, 1]])
    warped = answers.at(torch.arange(COUNT), WHOLE, dataset.frame_size)
    torch.testing.assert_close(warped, every, rtol=0, atol=1e-4)


def test_losses_are_finite_scalars_and_one_is_trained_on(task: TrainedTask, dataset: Dataset) -> None:
    answers = answers_of(task, dataset)
    for scale in (0.0, 1.0, 1000.0):
        losses = task.loss((scale * guesses(task, answers)).requires_grad_(), answers)
        assert losses["loss"].requires_grad
        assert all(value.ndim == 0 and value.isfinite() for value in losses.values())


def test_every_output_gets_a_gradient(task: TrainedTask, dataset: Dataset) -> None:
    answers = answers_of(task, dataset)
    outputs = guesses(task, answers).requires_grad_()
    beliefs = task.beliefs(guesses(task, answers, 1))
    for loss in (task.loss(outputs, answers)["loss"], task.disagreement(outputs, beliefs, 0.0)):
        (gradient,) = torch.autograd.grad(loss, outputs)
        assert gradient.isfinite().all()
        assert (gradient != 0).all()


def test_what_has_learnt_the_answers_has_the_lowest_loss_and_perfect_figures(
    task: TrainedTask, dataset: Dataset
) -> None:
    answers = answers_of(task, dataset)
    outputs = learnt(task, answers)
    best = task.loss(outputs, answers)["loss"]
    assert best < 0.05
    for other in (guesses(task, answers), -outputs, torch.zeros_like(outputs), outputs.roll(1, dims=0)):
        assert task.loss(other, answers)["loss"] > best
    figures = task.figures(task.beliefs(outputs), answers)
    examples = task.looks(dataset, task.examples(dataset, dataset.usable_clips)[:COUNT])
    together = task.together(examples, task.beliefs(outputs), answers)
    assert task.score.removeprefix("val_") in {**figures, **together}
    assert all(value == 1 for value in together.values())
    assert all(torch.equal(figure, torch.ones(COUNT)) for figure in figures.values())
    assert all((figure < 0.5).all() for figure in task.figures(task.beliefs(-outputs), answers).values())


def test_beliefs_are_probabilities_and_those_of_a_perfect_network_are_the_answers(
    task: TrainedTask, dataset: Dataset
) -> None:
    answers = answers_of(task, dataset)
    rough = task.beliefs(3 * guesses(task, answers))
    assert 0 <= rough.min() < rough.max() <= 1
    assert rough.shape == answers.shape
    torch.testing.assert_close(task.beliefs(learnt(task, answers)), answers, rtol=0, atol=0.1)


def test_a_student_that_agrees_with_a_sure_teacher_has_least_to_learn(
    task: TrainedTask, dataset: Dataset
) -> None:
    answers = answers_of(task, dataset)
    outputs = learnt(task, answers)
    beliefs = task.beliefs(2 * outputs)
    least = task.disagreement(2 * outputs, beliefs, 0.8)
    assert 0 <= least < 0.02
    assert task.disagreement(guesses(task, answers), beliefs, 0.8) > least + 0.1
    assert task.disagreement(-outputs, beliefs, 0.8) > least + 0.1


def test_beliefs_of_whole_frames_are_carried_nowhere_by_the_identity(
    task: TrainedTask, dataset: Dataset
) -> None:
    beliefs = task.beliefs(guesses(task, answers_of(task, dataset)))
    carried = task.carried(beliefs, WHOLE, dataset.frame_size)
    torch.testing.assert_close(carried, beliefs, rtol=0, atol=1e-4)


def test_the_judge_says_what_is_promised_of_every_example(task: TrainedTask, dataset: Dataset) -> None:
    judged = task.judged
    rows, found = rows_of(task, dataset, guesses(task, answers_of(task, dataset)))
    scores = task.scored(pl.DataFrame(rows)).to_dicts()
    for row in scores:
        assert set(row) >= {*judged.keys, *judged.figures, *(judged.ranking or ()), judged.cluster}
        assert all(isinstance(row[name], float) for name in judged.figures)
    keys = [tuple(row[key] for key in judged.keys) for row in scores]
    assert len(set(keys)) == len(keys)
    assert set(judged.parts) <= set(judged.keys)
    assert list(dict.fromkeys(tuple(row[key] for key in judged.keys) for row in found)) == keys


def test_perfect_beliefs_are_judged_better_than_guesses(task: TrainedTask, dataset: Dataset) -> None:
    answers = answers_of(task, dataset)
    perfect, _ = rows_of(task, dataset, learnt(task, answers))
    rough, _ = rows_of(task, dataset, guesses(task, answers))
    tables = (task.scored(pl.DataFrame(rows)).to_dicts() for rows in (perfect, rough))
    for good, bad in zip(*tables, strict=True):
        for name, higher_is_better in task.judged.figures.items():
            sign = 1 if higher_is_better else -1
            assert math.isfinite(good[name])
            assert not sign * good[name] < sign * bad[name]


def test_a_sheet_can_be_drawn_of_any_number_of_images(
    task: TrainedTask, dataset: Dataset, tmp_path: Path
) -> None:
    answers = answers_of(task, dataset)
    for count in (0, 1, COUNT):
        beliefs, pixels = task.beliefs(guesses(task, answers[:count])), dataset.clip_frames("p00-a4c")
        images = pixels[[0] * count]
        sheet = task.sheet(images, beliefs, answers[:count])
        assert isinstance(sheet, Sheet)
        assert (sheet.height > 0) == (count > 0)
        draw_run([], sheet, tmp_path / f"{count}.png", "A sheet", is_synthetic=True)
        assert (tmp_path / f"{count}.png").stat().st_size > 1000
