"""Fine-tuning as a user meets it: a run that says what it is, and one clear message for each mishap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from apical import checkpoint
from apical.checkpoint import read_tensors
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.finetune import finetune
from apical.labels import draw_labels
from apical.models import model_of
from apical.run import Run
from apical.tasks._mask_answers import traced_images
from tests.tasks.painted import STRUCTURES, painted

TASK = "lv_segmentation"
TINY = [
    "network=unet",
    "backbone.width=4",
    "size=32",
    "epochs=2",
    "epoch_steps=2",
    "batch_size=4",
    "fewest_samples=8",
    "precision=32",
    "device=cpu",
    "schedule.warmup_epochs=0",
]
CONSISTENT = ["consistency.begin=0.2", "average=null"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset")


@pytest.fixture(scope="module")
def finished(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return finetune(TASK, out, data=dataset.folder, overrides=TINY, labels="3")


@pytest.fixture
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are slow, and most tests look at none."""
    monkeypatch.setattr("apical.finetune.report_finetuning", lambda _run, _job: None)


def run_of(dataset: Dataset, out: Path, *overrides: str, **given: Any) -> Run:
    return finetune(TASK, out, data=dataset.folder, overrides=[*TINY, *overrides], **given)


def same(one: Run, other: Run, which: str = "last") -> bool:
    weights, others = (run.weights(which) for run in (one, other))  # type: ignore[arg-type]
    return weights.keys() == others.keys() and all(
        torch.equal(weights[name], others[name]) for name in weights
    )


def test_a_run_says_what_it_is(finished: Run, dataset: Dataset) -> None:
    card = json.loads((finished.folder / "run.json").read_text())
    assert (card["stage"], card["method"], card["is_finished"]) == ("finetune", TASK, True)
    assert card["data"]["is_synthetic"]
    assert card["data"]["content_sha256"] == dataset.card.content_sha256
    counts = ("labelled_patients", "labelled_images", "unlabelled_clips", "held_out_patients")
    assert [card["data"][name] for name in counts] == [3, 12, 0, 1]
    assert card["notice"] == "Research use only. Not a medical device."
    assert finished.config["task"]["structures"] == ["lv", "myo", "la"]
    assert "--labels 3" in card["command"]
    assert Run.open(finished.folder).card == finished.card


def test_a_run_leaves_weights_figures_labels_and_a_page(finished: Run) -> None:
    left = {path.name for path in finished.folder.iterdir()}
    files = {"config.yaml", "run.json", "metrics.jsonl", "labels.json", "checkpoints", "finetuning.png"}
    assert left >= files | {"index.html"}
    assert {"loss", "val_loss", "val_dice", "val_dice_myo", "val_dice_la"} <= set(finished.metrics[-1])
    page = (finished.folder / "index.html").read_text()
    assert "Research use only" in page
    assert '<span class="badge">synthetic</span>' in page
    assert "12 labelled images of 3 patients" in page


def test_the_labels_are_those_of_the_draw(finished: Run, dataset: Dataset) -> None:
    kept = json.loads((finished.folder / "labels.json").read_text())
    training = dataset.usable_clips.filter(pl.col("split") == "train")
    draw = draw_labels(traced_images(dataset, training, STRUCTURES), "3", 0)
    assert tuple(kept["patients"]) == draw.patients
    assert {tuple(image) for image in kept["images"]} == set(draw.images)


@pytest.mark.usefixtures("without_report")
def test_its_settings_alone_repeat_it(finished: Run, tmp_path: Path) -> None:
    again = finetune(TASK, tmp_path / "again", recipe=str(finished.folder / "config.yaml"))
    assert same(again, finished)
    assert same(again, finished, "best")
    assert again.config == finished.config


def test_the_model_comes_out_ready(finished: Run) -> None:
    model = model_of(finished, precision="32")
    assert not model.network.training
    assert model.size == (32, 32)
    beliefs = model.beliefs(torch.rand(2, 1, 32, 32))
    assert beliefs.shape == (2, 3, 32, 32)


def test_a_finished_run_that_is_resumed_stays_as_it_is(finished: Run) -> None:
    before = (finished.folder / "checkpoints" / "last.safetensors").stat().st_mtime_ns
    assert finetune(TASK, finished.folder, resume=True).card == finished.card
    assert (finished.folder / "checkpoints" / "last.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("settings", [[], CONSISTENT], ids=["labels alone", "with a teacher"])
@pytest.mark.usefixtures("without_report")
def test_a_run_that_was_stopped_at_any_write_ends_as_one_that_was_not(
    settings: list[str],
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = [*settings, "checkpoint_seconds=0", "log_every=1"]
    whole = run_of(dataset, tmp_path / "whole", *settings)
    for write in (1, 4, 7):
        written: list[str] = []

        def stop(
            tensors: dict[str, Tensor],
            path: Path,
            metadata: dict[str, str],
            write: int = write,
            written: list[str] = written,
        ) -> None:
            written.append(path.name)
            if len(written) == write:
                raise KeyboardInterrupt
            save_file(tensors, path, metadata=metadata)

        with monkeypatch.context() as patched:
            patched.setattr(checkpoint, "save_file", stop)
            with pytest.raises(KeyboardInterrupt):
                run_of(dataset, tmp_path / f"{write}", *settings)
        resumed = run_of(dataset, tmp_path / f"{write}", *settings, resume=True)
        assert same(resumed, whole)
        assert same(resumed, whole, "best")
        states = [read_tensors(Run.resume_path(run.folder))[0] for run in (resumed, whole)]
        assert all(torch.equal(states[0][name], tensor) for name, tensor in states[1].items())
        figures = [[line | {"images_per_s": 0} for line in run.metrics] for run in (resumed, whole)]
        assert figures[0] == figures[1]


@pytest.mark.usefixtures("without_report")
def test_with_a_teacher_unlabelled_images_are_learnt_from(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path / "run", *CONSISTENT, labels="2")
    assert run.card.data["unlabelled_clips"] == 10
    assert run.metrics[-1]["disagreement"] > 0
    state = read_tensors(Run.resume_path(run.folder))[0]
    left = run.weights("last")
    assert all(torch.equal(state[f"model.teacher.{name}"], tensor) for name, tensor in left.items())
    assert not torch.equal(state["model.network.classifier.weight"], left["classifier.weight"])


@pytest.mark.usefixtures("without_report")
def test_where_all_is_labelled_a_teacher_has_nothing_to_say(tmp_path: Path) -> None:
    labelled = painted(tmp_path / "dataset", splits=["train", "train", "val"], num_frames=4)
    every = labelled.traces.filter(pl.col("frame") == 0)
    frames = [every.with_columns(frame=pl.lit(frame, pl.Int64)) for frame in range(4)]
    pl.concat(frames).write_parquet(labelled.folder / "traces.parquet")
    run = run_of(Dataset.open(labelled.folder), tmp_path / "run", *CONSISTENT)
    assert any("none is learnt from without labels" in remark for remark in run.card.remarks)
    assert "disagreement" not in run.metrics[-1]


@pytest.mark.parametrize("network", ["unet", "linear"])
@pytest.mark.usefixtures("without_report")
def test_on_a_frozen_encoder_the_decoder_alone_learns(network: str, dataset: Dataset, tmp_path: Path) -> None:
    small = 'backbone={"name": "unet_encoder", "width": 4}'
    frozen = ["trains=decoder", f"network={network}", small, "average=null"]
    first = run_of(dataset, tmp_path / "first", *frozen, "epochs=0").weights("last")
    last = run_of(dataset, tmp_path / "last", *frozen, *CONSISTENT).weights("last")
    changed = {name for name in first if not torch.equal(first[name], last[name])}
    assert changed
    assert not [name for name in changed if name.startswith("backbone.")]
    assert "classifier.weight" in changed


@pytest.mark.usefixtures("without_report")
def test_labels_drawn_by_image_are_remarked_on(dataset: Dataset, tmp_path: Path) -> None:
    run = run_of(dataset, tmp_path / "run", "labels_by=image", "epochs=0", labels="3")
    assert run.card.data["labelled_images"] == 3
    assert any("drawn by image" in remark for remark in run.card.remarks)


@pytest.mark.usefixtures("without_report")
def test_a_score_that_gets_no_better_ends_training(dataset: Dataset, tmp_path: Path) -> None:
    wild = ["optimiser.lr=0.5", "clip_norm=null", "average=null", "schedule.shape=constant"]
    run = run_of(dataset, tmp_path / "run", "patience=2", "epochs=30", "score=val_loss", *wild)
    assert run.card.steps < 60
    assert run.card.steps == run.card.best["step"] + 2 * 2
    assert run.card.is_finished


@pytest.mark.usefixtures("without_report")
def test_without_a_validation_split_patients_are_held_out(tmp_path: Path) -> None:
    dataset = painted(tmp_path / "dataset", splits=["none"] * 6)
    run = run_of(dataset, tmp_path / "run", "hold_out=0.34")
    assert run.card.data["held_out_patients"] == 2
    assert run.card.data["labelled_patients"] == 4
    assert "val_dice" in run.metrics[-1]


def test_where_nobody_held_out_has_labels_nothing_is_watched_and_that_is_said(tmp_path: Path) -> None:
    dataset = painted(tmp_path / "dataset", untraced=[("p05", name) for name in STRUCTURES])
    run = run_of(dataset, tmp_path / "run", "score=val_loss")
    assert any("nothing is watched" in remark for remark in run.card.remarks)
    assert run.about_weights("best")["step"] == run.card.steps
    assert (run.folder / "index.html").is_file()


class TestMishaps:
    """Each is one message that says what to do, and destroys nothing."""

    def test_a_dataset_without_traces(self, tmp_path: Path) -> None:
        bare = painted(tmp_path / "dataset", structures=[])
        with pytest.raises(ApicalError, match=r"No left ventricle is traced.*apical inspect"):
            run_of(bare, tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_training_patients_without_traces(self, tmp_path: Path) -> None:
        untraced = [(f"p0{patient}", name) for patient in range(5) for name in STRUCTURES]
        with pytest.raises(ApicalError, match="No patient to learn from has labels"):
            run_of(painted(tmp_path / "dataset", untraced=untraced), tmp_path / "run")

    @pytest.mark.parametrize(
        ("amount", "expected"),
        [("6", "fewer than 6 annotated patients.*Seen: 5 patients"), ("none", "Seen: 'none'. Write 'all'")],
    )
    def test_labels_that_are_not_there(
        self, amount: str, expected: str, dataset: Dataset, tmp_path: Path
    ) -> None:
        with pytest.raises(ApicalError, match=expected):
            run_of(dataset, tmp_path / "run", labels=amount)

    def test_a_recipe_or_a_setting_of_another_task(self, dataset: Dataset, tmp_path: Path) -> None:
        other = tmp_path / "other.yaml"
        other.write_text("task: {name: view_classification}\n")
        with pytest.raises(ApicalError, match="for the task 'view_classification', not 'lv_segmentation'"):
            run_of(dataset, tmp_path / "run", recipe=str(other))
        assert not (tmp_path / "run").exists()

    def test_a_recipe_of_a_pretraining(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match=r"'method'|pretrain"):
            run_of(dataset, tmp_path / "run", recipe="saeed2022-simclr-unet")

    def test_a_task_that_is_not_there(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="Did you mean 'lv_segmentation'"):
            finetune("lv_segmentatoin", tmp_path / "run", data=dataset.folder, overrides=TINY)

    def test_a_score_that_nobody_gives(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match=r"by 'dice'.*val_loss, val_dice, or last"):
            run_of(dataset, tmp_path / "run", "score=dice")

    def test_other_settings_than_the_run_was_begun_with(self, finished: Run, dataset: Dataset) -> None:
        with pytest.raises(ApicalError, match="other settings of seed, labels"):
            finetune(TASK, finished.folder, resume=True, seed=4, labels="2")
        with pytest.raises(ApicalError, match="finished run here already"):
            run_of(dataset, finished.folder)

    def test_other_data_than_the_run_was_begun_on(self, finished: Run, tmp_path: Path) -> None:
        other = painted(tmp_path / "dataset", splits=["train", "train", "val"])
        with pytest.raises(ApicalError, match="other data"):
            finetune(TASK, finished.folder, data=other.folder, resume=True)
