"""A diagnosis as a user meets it: from a few studies to scores of studies, and one clear message for each mishap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from apical.compare import compare, comparison_lines
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.evaluate import evaluate
from apical.evaluation_report import report_lines
from apical.finetune import finetune
from apical.models import model_of
from apical.run import Run
from apical.scores import Scores
from apical.statistics.ranking import auroc
from apical.tasks.diagnosis import Diagnosis, DiagnosisConfig, StudyAnswers
from tests.tasks.painted import painted

TINY = [
    "backbone=unet_encoder",
    "backbone.width=4",
    "size=32",
    "epochs=5",
    "epoch_steps=6",
    "score=last",
    "batch_size=8",
    "fewest_samples=48",
    "precision=32",
    "device=cpu",
    "schedule.warmup_epochs=0",
    "optimiser.lr=0.003",
    "task.frames=3",
    "task.looks=2",
    "task.smoothing=0.0",
    "average=null",
]
SPLITS = ("train",) * 8 + ("val",) * 6 + ("test",) * 8


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Patients with an odd number have severe stenosis, and brighter images."""
    made = painted(tmp_path_factory.mktemp("painted") / "dataset", splits=SPLITS, num_frames=6)
    frames = np.memmap(made.folder / "frames.u8", np.uint8, "r+")
    for row in made.usable_clips.iter_rows(named=True):
        size = row["num_frames"] * row["height"] * row["width"]
        part = frames[row["offset"] : row["offset"] + size]
        part[:] = np.minimum(part.astype(int) + 60 * int(row["as_severe"]), 255)
    frames.flush()
    return Dataset.open(made.folder)


def run_of(dataset: Dataset, out: Path, *overrides: str, **given: Any) -> Run:
    return finetune("diagnosis", out, data=dataset.folder, overrides=[*TINY, *overrides], **given)


@pytest.fixture(scope="module")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(dataset, tmp_path_factory.mktemp("runs") / "severe")


@pytest.fixture(scope="module")
def scores(run: Run, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Scores:
    return evaluate(run.folder, dataset.folder, tmp_path_factory.mktemp("scores") / "severe")


def test_there_is_a_row_a_study_and_its_truth_is_the_label(scores: Scores, dataset: Dataset) -> None:
    table = scores.table
    test = dataset.usable_clips.filter(pl.col("split") == "test")
    assert table["study"].to_list() == test["study"].unique(maintain_order=True).to_list()
    truths = dict(test.select("study", "as_severe").iter_rows())
    assert table["truth"].to_list() == [int(truths[study]) for study in table["study"]]
    assert table["videos"].to_list() == [2] * 8
    assert table["looks"].to_list() == [4] * 8


def test_what_was_believed_of_each_clip_is_kept(scores: Scores) -> None:
    found = scores.found
    assert found.columns == ["patient", "study", "clip", "frame", "truth", "weight", "p_no", "p_yes"]
    assert sorted(found["frame"].unique()) == [0, 3]
    videos = found.group_by("study", "clip").agg(pl.col("p_yes").mean())
    studies = dict(videos.group_by("study").agg(pl.col("p_yes").mean()).iter_rows())
    for study, raw in scores.table.select("study", "raw_probability").iter_rows():
        assert raw == pytest.approx(studies[study])


def test_what_is_plain_to_see_is_learnt(scores: Scores) -> None:
    assert scores.card.summary["auroc"]["value"] == 1
    assert (scores.table.filter(pl.col("truth") == 1)["probability"] > 0.5).all()


def test_thresholds_and_temperature_are_those_of_held_out_studies(run: Run, scores: Scores) -> None:
    kept = json.loads((run.folder / "diagnosis.json").read_text(encoding="utf-8"))
    assert kept["studies"] == {"no": 3, "yes": 3}
    points = scores.card.summary["points"]
    assert {name: point["threshold"] for name, point in points.items()} == kept["thresholds"]
    assert "told apart" in scores.card.remarks[0]


def test_a_person_may_set_another_threshold(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path / "run")
    path = run.folder / "diagnosis.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["thresholds"]["balanced"] = 1.0
    path.write_text(json.dumps(kept), encoding="utf-8")
    table = evaluate(run.folder, dataset.folder, tmp_path / "scores").table
    assert table["answer"].unique().to_list() == [0]
    for broken in ("{", json.dumps({**kept, "thresholds": {"balanced": "high"}})):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(ApicalError, match="can't be read"):
            model_of(run)
    path.write_text(json.dumps({**kept, "label": "lvh"}), encoding="utf-8")
    with pytest.raises(ApicalError, match="of another diagnosis"):
        model_of(run)


def test_the_label_that_is_asked_for_is_the_one_that_is_learnt(dataset: Dataset, tmp_path: Path) -> None:
    """The released code trains and tests severe stenosis whatever is asked for."""
    clips = dataset.clips.with_columns(lvh=1 - pl.col("as_severe"))
    other = tmp_path / "dataset"
    other.mkdir()
    for path in dataset.folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    clips.write_parquet(other / "clips.parquet")
    relabelled = Dataset.open(other)
    run = run_of(relabelled, tmp_path / "lvh", "task.label=lvh")
    table = evaluate(run.folder, other, tmp_path / "scores").table
    labels = dict(relabelled.clips.select("study", "lvh").iter_rows())
    assert table["truth"].to_list() == [int(labels[study]) for study in table["study"]]
    severe = 1 - table["truth"].to_numpy()
    assert auroc(table["probability"].to_numpy(), severe) == 0


def test_grades_are_told_apart(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path / "grades", "task.label=as_grade", "epochs=1")
    scores = evaluate(run.folder, dataset.folder, tmp_path / "scores")
    summary = scores.card.summary
    assert list(summary["classes"]) == ["none", "mild", "severe"]
    assert set(summary["auroc_of_each"]) == {"none", "mild", "severe"}
    beliefs = scores.table.select("p_none", "p_mild", "p_severe").to_numpy()
    assert beliefs.sum(axis=1) == pytest.approx(1)
    assert scores.table["answer"].to_list() == beliefs.argmax(axis=1).tolist()
    assert any("quadratic kappa" in line for line in report_lines(scores))
    assert not (scores.folder / "curves.png").exists()


def test_with_attention_a_study_is_learnt_as_one(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path / "run", "task.vote=attention", "task.videos=2")
    assert model_of(run).network.num_classes == 2
    scores = evaluate(run.folder, dataset.folder, tmp_path / "scores")
    weights = scores.found["weight"]
    assert ((weights > 0) & (weights < 1)).all()
    assert weights.n_unique() > 1
    assert scores.card.summary["auroc"]["value"] == 1


def test_rare_classes_count_as_much_as_frequent_ones() -> None:
    config = DiagnosisConfig.model_validate({"classes": ("no", "yes"), "smoothing": 0.0})
    task = Diagnosis(config)
    truths = torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    task.begin(StudyAnswers(truths), 4)
    assert task.head.weights.tolist() == pytest.approx([4 / 6, 2.0])
    plain = Diagnosis(config.model_copy(update={"balanced": False}))
    plain.begin(StudyAnswers(truths), 4)
    assert plain.head.weights.tolist() == [1, 1]


def test_label_smoothing_reaches_the_loss() -> None:
    """The released code puts it into the name of the run alone."""
    outputs, truths = torch.tensor([[3.0]]), torch.tensor([[1.0]])
    losses = [
        Diagnosis(DiagnosisConfig(classes=("no", "yes"), smoothing=share)).loss(outputs, truths)["loss"]
        for share in (0.0, 0.1)
    ]
    expected = [
        torch.nn.functional.binary_cross_entropy_with_logits(outputs, torch.tensor([[target]]))
        for target in (1.0, 0.95)
    ]
    torch.testing.assert_close(losses, expected)


def test_runs_are_compared_by_the_area_under_their_curves(
    scores: Scores, dataset: Dataset, tmp_path: Path
) -> None:
    worse = run_of(dataset, tmp_path / "worse", "epochs=0")
    other = evaluate(worse.folder, dataset.folder, tmp_path / "worse-scores")
    comparison = compare([other.folder, scores.folder])
    (row,) = comparison.rows
    assert (comparison.figure, comparison.unit) == ("auroc", "studies")
    assert row.mean == 1
    assert row.first_mean == other.card.summary["auroc"]["value"]
    assert row.difference.value == pytest.approx(row.mean - row.first_mean)
    assert (row.images, row.patients) == (8, 8)
    lines = comparison_lines(comparison)
    assert any("by DeLong" in line for line in lines)
    by_brier = compare([other.folder, scores.folder], figure="brier").rows[0]
    assert by_brier.mean == pytest.approx(scores.table["brier"].mean())
    assert by_brier.delong_p is None


def test_pictures_and_words_are_left(scores: Scores) -> None:
    names = {path.name for path in scores.folder.iterdir()}
    assert names >= {"curves.png", "reliability.png", "confusion.png", "index.html"}
    lines = report_lines(scores)
    assert lines[0].endswith("8 studies of 8 patients.")
    assert any(line.startswith("AUROC 1.000") for line in lines)
    assert all(len(line) < 140 for line in lines[:14])


class TestMishaps:
    def test_all_labels_are_alike(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="the same answer to 'as_severe'"):
            run_of(dataset, tmp_path / "run", labels="1")

    def test_a_network_of_masks(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="gives maps, but diagnosis wants vectors"):
            run_of(dataset, tmp_path / "run", network="unet")
        with pytest.raises(ApicalError, match="gives vectors, but lv_segmentation wants maps"):
            finetune("lv_segmentation", tmp_path / "other", data=dataset.folder, network="classifier")

    def test_held_out_studies_lack_a_class(self, tmp_path: Path) -> None:
        few = painted(tmp_path / "dataset", splits=("train", "train", "val", "test", "test"))
        run = run_of(few, tmp_path / "run", "epochs=1")
        scores = evaluate(run.folder, few.folder, tmp_path / "scores")
        assert "lack a class" in scores.card.remarks[0]
        assert {point["threshold"] for point in scores.card.summary["points"].values()} == {0.5}

    def test_scores_of_one_class(self, run: Run, dataset: Dataset, tmp_path: Path) -> None:
        clips = dataset.clips.with_columns(
            as_severe=pl.when(pl.col("split") == "test").then(0.0).otherwise("as_severe")
        )
        other = tmp_path / "dataset"
        other.mkdir()
        for path in dataset.folder.iterdir():
            (other / path.name).write_bytes(path.read_bytes())
        clips.write_parquet(other / "clips.parquet")
        scores = evaluate(run.folder, other, tmp_path / "scores")
        assert any("AUROC – (– to –)" in line for line in report_lines(scores))
