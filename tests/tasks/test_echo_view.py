"""Views from frozen vectors: what is learnt, when it says that it can't tell, and that leaks are refused or said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import Tensor

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.evaluate import evaluate
from apical.evaluation_report import report_lines
from apical.finetune import finetune
from apical.finetuning_report import report_lines as fitting_lines
from apical.pretrain import pretrain
from apical.run import Run
from apical.tasks._view_summary import CANT_TELL, summary_lines
from apical.tasks.echo_view import EchoViewTask, EchoViewTaskConfig
from tests.tasks.painted import painted

VIEWS = ("a4c", "a2c", "plax", "unknown")
KNOWN = ("a4c", "a2c", "plax")
SPLITS = ("train",) * 6 + ("val", "test", "test")
TINY = [
    "sampling=frames",
    "backbone=resnet18",
    "batch_size=4",
    "epochs=0",
    "monitor_images=4",
    "precision=32",
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset", echo_views=VIEWS, splits=SPLITS)


@pytest.fixture(scope="module")
def eyes(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return pretrain("simclr", tmp_path_factory.mktemp("runs") / "eyes", data=dataset.folder, overrides=TINY)


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """One test patient has an image among those to learn from."""
    folder = painted(
        tmp_path_factory.mktemp("leaking") / "dataset", echo_views=VIEWS, splits=SPLITS, num_frames=5
    ).folder
    clips = pl.read_parquet(folder / "clips.parquet")
    moved = pl.when(pl.col("clip") == "p08-a4c").then(pl.lit("train")).otherwise(pl.col("split"))
    clips.with_columns(moved.alias("split")).write_parquet(folder / "clips.parquet")
    return Dataset.open(folder)


def built(dataset: Dataset, **settings: Any) -> EchoViewTask:
    return EchoViewTask(EchoViewTask.settled(EchoViewTaskConfig(**settings), dataset))


def taught(task: EchoViewTask, vectors: Tensor, classes: list[int], patients: list[str]) -> EchoViewTask:
    task.fit([(pl.DataFrame({"patient": patients}), vectors, torch.tensor(classes))])
    return task


def corners(count: int, seed: int = 0) -> tuple[Tensor, list[int], list[str]]:
    """Vectors near three axes, of six patients."""
    classes = [number % 3 for number in range(count)]
    noise = 0.1 * torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))
    return torch.eye(5)[classes] + noise, classes, [f"p{number % 6}" for number in range(count)]


def fitted(dataset: Dataset, eyes: Run, out: Path, *overrides: str) -> Run:
    settings = ["precision=32", "size=32", "device=cpu", *overrides]
    return finetune("echo_view", out, data=dataset.folder, init=str(eyes.folder), overrides=settings)


def test_an_unknown_view_is_never_learnt_and_views_come_in_their_usual_order(dataset: Dataset) -> None:
    task = built(dataset)
    assert task.views == KNOWN
    assert set(task.examples(dataset, dataset.usable_clips)["echo_view"]) == set(KNOWN)
    assert built(dataset, echo_views=("plax", "a4c")).views == ("a4c", "plax")
    with pytest.raises(ApicalError, match="No clip of this dataset is of the view psax"):
        built(dataset, echo_views=("psax", "a4c"))


def test_a_dataset_without_views_is_told(tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="No clip has a known view"):
        built(painted(tmp_path / "d", echo_views=("unknown",)))


@pytest.mark.parametrize(
    ("wanted", "frames"), [(1, [2]), (2, [1, 3]), (3, [0, 2, 3]), (4, [0, 1, 2, 3]), (9, [0, 1, 2, 3])]
)
def test_frames_are_evenly_spaced_in_each_clip(dataset: Dataset, wanted: int, frames: list[int]) -> None:
    task = built(dataset, frames_per_clip=wanted)
    examples = task.examples(dataset, dataset.usable_clips)
    for _, own in examples.group_by("clip"):
        assert own["frame"].to_list() == frames
    numbers = task.answers(dataset, examples).at(torch.arange(len(examples)), None, (4, 4))
    assert [task.views[number] for number in numbers] == examples["echo_view"].to_list()


@pytest.mark.parametrize("rule", ["neighbours", "linear", "prototypes"])
def test_what_was_saved_answers_as_what_was_fitted(rule: str, dataset: Dataset, tmp_path: Path) -> None:
    task = taught(built(dataset, rule=rule), *corners(30))
    task.save(tmp_path)
    loaded = built(dataset, rule=rule)
    loaded.load(tmp_path)
    queries, classes, _ = corners(12, 1)
    assert torch.equal(loaded.beliefs(queries), task.beliefs(queries))
    assert task.figures(task.beliefs(queries), torch.tensor(classes))["accuracy"].mean() == 1
    assert loaded.told(task.beliefs(queries)) == task.told(task.beliefs(queries))
    assert loaded.report() == task.report()
    assert json.loads((tmp_path / "echo_view.json").read_text())["references"] == dict.fromkeys(KNOWN, 10)


def test_a_person_may_set_the_threshold(dataset: Dataset, tmp_path: Path) -> None:
    task = taught(built(dataset), *corners(30))
    task.save(tmp_path)
    table = tmp_path / "echo_view.json"
    values = json.loads(table.read_text())
    beliefs = torch.tensor([[0.7, 0.2, 0.1]])
    for threshold, answer in ((0.65, "a4c"), (0.75, CANT_TELL), (None, CANT_TELL)):
        values["trust"]["threshold"] = threshold
        table.write_text(json.dumps(values))
        task.load(tmp_path)
        assert task.told(beliefs) == [("a4c", answer)]
    for wrong in (2.0, "high", True):
        values["trust"]["threshold"] = wrong
        table.write_text(json.dumps(values))
        with pytest.raises(ApicalError, match="neither null nor a number"):
            task.load(tmp_path)


@pytest.mark.parametrize("name", ["echo_view.json", "echo_view.safetensors"])
def test_files_that_are_missing_broken_or_of_another_run_are_told(
    name: str, dataset: Dataset, tmp_path: Path
) -> None:
    task = taught(built(dataset), *corners(9))
    task.save(tmp_path)
    with pytest.raises(ApicalError, match="does not fit"):
        built(dataset, echo_views=("a4c", "a2c")).load(tmp_path)
    with pytest.raises(ApicalError, match="does not fit"):
        built(dataset, rule="linear").load(tmp_path)
    for content in (b"\xff{", b"[]", b"{}", b""):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ApicalError, match=r"can't be read|no whole safetensors"):
            task.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ApicalError, match=r"is not there|no such file"):
        task.load(tmp_path)


def test_blank_vectors_are_not_learnt_from_and_are_never_told(dataset: Dataset) -> None:
    vectors, classes, patients = corners(30)
    vectors[3], vectors[4] = 0, torch.nan
    task = taught(built(dataset, refuses=False), vectors, classes, patients)
    assert task.kept is not None
    assert (task.kept.blank, sum(task.kept.references.values())) == (2, 28)
    beliefs = task.beliefs(vectors[2:5])
    assert (beliefs[1:] == 0).all()
    assert [answer for _, answer in task.told(beliefs)] == ["plax", CANT_TELL, CANT_TELL]
    assert any("2 labelled images were left out" in line for line in task.report())
    with pytest.raises(ApicalError, match="sees nothing"):
        taught(built(dataset), torch.zeros(3, 5), [0, 1, 2], ["a", "b", "c"])


def test_one_image_alone_is_learnt_but_answers_nothing_unless_asked_to(dataset: Dataset) -> None:
    one = torch.ones(1, 5), [1], ["p0"]
    task = taught(built(dataset), *one)
    assert task.told(task.beliefs(torch.ones(2, 5))) == [("a2c", CANT_TELL)] * 2
    assert "one patient alone" in " ".join(task.report())
    daring = taught(built(dataset, refuses=False), *one)
    assert daring.told(daring.beliefs(torch.ones(1, 5))) == [("a2c", "a2c")]


def test_an_image_like_none_that_was_learnt_is_not_told(dataset: Dataset) -> None:
    task = taught(built(dataset, k=30), *corners(60))
    between = torch.tensor([[1.0, 1, 1, 0, 0]])
    sure = torch.tensor([[1.0, 0, 0, 0, 0]])
    assert task.told(task.beliefs(between))[0][1] == CANT_TELL
    assert task.told(task.beliefs(sure)) == [("a4c", "a4c")]


def test_what_cannot_be_promised_is_not_answered(dataset: Dataset) -> None:
    """Each patient is labelled otherwise."""
    vectors, groups, _ = corners(27)
    patients = [number // 9 for number in range(27)]
    classes = [(group + patient) % 3 for group, patient in zip(groups, patients, strict=True)]
    task = taught(built(dataset), vectors, classes, [f"p{patient}" for patient in patients])
    assert task.kept is not None
    assert task.kept.trust.threshold is None
    assert {answer for _, answer in task.told(task.beliefs(vectors))} == {CANT_TELL}
    assert "task.refuses=false" in task.report()[-1]


def rows(truths: str, answers: str, sure: str) -> pl.DataFrame:
    """Scores of images, two a patient; views by their first letter."""
    names = {"4": "a4c", "2": "a2c", "p": "plax"}
    return pl.DataFrame(
        {
            "clip": [f"c{number}" for number in range(len(truths))],
            "frame": 0,
            "patient": [f"p{number // 2}" for number in range(len(truths))],
            "echo_view": [names[truth] for truth in truths],
            "best": [names[answer] for answer in answers],
            "answer": [
                names[answer] if yes == "y" else CANT_TELL for answer, yes in zip(answers, sure, strict=True)
            ],
            "is_answered": [yes == "y" for yes in sure],
            "correct": [float(truth == answer) for truth, answer in zip(truths, answers, strict=True)],
            "confidence": np.linspace(1, 0.5, len(truths)),
        }
    )


def test_the_summary_counts_what_a_hand_counts(dataset: Dataset) -> None:
    task = taught(built(dataset), *corners(30))
    summary = task.summary(dataset, rows("4442222p", "4422224p", "yynyyynn"))
    assert {view: one["value"] for view, one in summary["views"].items()} == {
        "a2c": 3 / 4,
        "a4c": 2 / 3,
        "plax": 1.0,
    }
    assert summary["accuracy"]["value"] == 6 / 8
    assert summary["balanced_accuracy"]["value"] == pytest.approx((3 / 4 + 2 / 3 + 1) / 3)
    assert (summary["answered"]["value"], summary["accuracy_of_answered"]["value"]) == (5 / 8, 1.0)
    assert summary["confusion"]["a2c"] == {"a2c": 3, "a4c": 0, "plax": 0, CANT_TELL: 1}
    assert summary["confusion_if_all_are_answered"]["a4c"] == {"a2c": 1, "a4c": 2, "plax": 0}
    for name in ("accuracy", "balanced_accuracy", "answered"):
        assert summary[name]["low"] <= summary[name]["value"] <= summary[name]["high"]
    lines = summary_lines(summary)
    assert lines[0].split()[-4:] == ["A2C", "A4C", "PLAX", "Total"]
    assert lines[2].split()[-4:] == ["75.00", "66.67", "100.00", "75.00"]


def test_one_view_alone_is_fitted_judged_and_drawn(tmp_path: Path, eyes: Run) -> None:
    only = painted(tmp_path / "d", echo_views=("a4c",), splits=("train", "none", "test"))
    run = fitted(only, eyes, tmp_path / "run", "hold_out=0")
    assert (run.card.data["labelled_patients"], run.card.data["held_out_patients"]) == (2, 0)
    scores = evaluate(run.folder, only.folder, tmp_path / "scores", device="cpu")
    assert scores.card.summary["accuracy"]["value"] == 1
    assert not (tmp_path / "scores" / "mistakes.png").exists()


@pytest.mark.parametrize("rule", ["neighbours", "linear"])
def test_a_run_leaves_what_it_knows_and_its_scores_a_page(
    rule: str, dataset: Dataset, eyes: Run, tmp_path: Path
) -> None:
    run = fitted(dataset, eyes, tmp_path / "run", f"task.rule={rule}", "task.trusted=0.4")
    assert {path.name for path in run.folder.iterdir()} >= {
        "echo_view.safetensors",
        "echo_view.json",
        "index.html",
    }
    assert "val_accuracy" in "\n".join(fitting_lines(run))
    scores = evaluate(run.folder, dataset.folder, tmp_path / "scores", device="cpu")
    assert len(scores.table) == len(scores.found) == 6
    assert not run.card.remarks
    assert not scores.card.remarks
    for name in ("confusion.png", "answers.png", "coverage.png"):
        with Image.open(scores.folder / name) as picture:
            assert min(picture.size) > 100
    assert '<span class="badge">synthetic</span>' in (scores.folder / "index.html").read_text()


def test_leaks_are_refused_or_stamped_on_everything(leaking: Dataset, eyes: Run, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match=r"1 patients of this dataset.*task\.allow_leakage=true"):
        fitted(leaking, eyes, tmp_path / "refused")
    run = fitted(leaking, eyes, tmp_path / "run", "task.allow_leakage=true")
    scores = evaluate(run.folder, leaking.folder, tmp_path / "scores", device="cpu")
    said = "1 of the 2 patients judged were learnt from"
    assert said in " ".join(scores.card.remarks)
    assert said in "\n".join(report_lines(scores))
    assert said in (scores.folder / "index.html").read_text()
    for text in (*run.card.remarks, "\n".join(fitting_lines(run)), (run.folder / "index.html").read_text()):
        assert "Leakage: 1 patients of this dataset stand on both sides" in text


def test_patients_that_were_learnt_from_are_not_judged_unless_asked_for(
    dataset: Dataset, eyes: Run, tmp_path: Path
) -> None:
    run = fitted(dataset, eyes, tmp_path / "run")
    with pytest.raises(ApicalError, match="6 of the 6 patients judged were learnt from"):
        evaluate(run.folder, dataset.folder, tmp_path / "scores", split="train", device="cpu")
    assert not (tmp_path / "scores").exists()
    (run.folder / "labels.json").unlink()
    with pytest.raises(ApicalError, match="Whom this run has learnt from"):
        evaluate(run.folder, dataset.folder, tmp_path / "scores", device="cpu")
