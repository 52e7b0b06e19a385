"""Pretraining as a user meets it: a run that says what it is, and one clear message for each mishap."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from apical import checkpoint
from apical.dataset import Dataset
from apical.encoders import encoder_of
from apical.errors import ApicalError, MachineError
from apical.lock import Lock
from apical.pretrain import pretrain
from apical.run import Run

TINY_VIT = 'backbone={"name": "vit_small", "patch": 8, "image_size": 32, "dim": 24, "depth": 2, "heads": 2}'
TINY = [
    TINY_VIT,
    "sampling.name=frames",
    "sampling.per_clip=4",
    "views.pair.size=32",
    "batch_size=8",
    "epochs=2",
    "precision=32",
    "monitor_images=16",
    "device=cpu",
]
SIMCLR = [*TINY, "method.projected_features=8"]

Datasets = Callable[..., Dataset]


@pytest.fixture(scope="module")
def dataset(phantom_dataset: Datasets) -> Dataset:
    return phantom_dataset("echonet_dynamic")


@pytest.fixture(scope="module")
def finished(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return pretrain("simclr", tmp_path_factory.mktemp("runs") / "run", data=dataset.folder, overrides=SIMCLR)


def test_a_run_says_what_it_is(finished: Run, dataset: Dataset) -> None:
    card = json.loads((finished.folder / "run.json").read_text())
    assert card["is_finished"]
    assert card["data"]["is_synthetic"]
    assert card["data"]["content_sha256"] == dataset.card.content_sha256
    assert card["data"]["licence"] == dataset.card.licence
    assert card["notice"] == "Research use only. Not a medical device."
    assert card["versions"]["torch"] == torch.__version__
    assert Run.open(finished.folder).card == finished.card


def test_a_run_leaves_weights_figures_and_a_page(finished: Run) -> None:
    left = {path.name for path in finished.folder.iterdir()}
    files = {"config.yaml", "run.json", "metrics.jsonl", "checkpoints", "pretraining.png", "index.html"}
    assert left >= files
    assert "val_loss" in finished.metrics[-1]
    assert "knn_phase" in finished.metrics[-1]
    page = (finished.folder / "index.html").read_text()
    assert "Research use only" in page
    assert "synthetic" in page.lower()


def test_its_settings_alone_repeat_it(finished: Run, tmp_path: Path) -> None:
    config = str(finished.folder / "config.yaml")
    again = pretrain("simclr", tmp_path / "again", recipe=config)
    weights, others = finished.weights("last"), again.weights("last")
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_the_encoder_comes_out_ready_with_its_input_scale(finished: Run) -> None:
    encoder = encoder_of(finished)
    assert not encoder.training
    features = encoder(torch.rand(2, 1, 32, 32))
    assert features.vector.shape == (2, encoder.num_features)
    assert {"input_mean", "input_std"} <= set(encoder.state_dict())


def test_another_run_starts_from_it(finished: Run, dataset: Dataset, tmp_path: Path) -> None:
    run = pretrain(
        "byol",
        tmp_path / "run",
        data=dataset.folder,
        init=str(finished.folder),
        overrides=[*TINY, "epochs=0", "method.hidden_features=8"],
    )
    weights, start = run.weights("last"), finished.weights("best")
    assert all(torch.equal(weights[name], start[name]) for name in start)


def test_a_finished_run_that_is_resumed_stays_as_it_is(finished: Run) -> None:
    before = (finished.folder / "checkpoints" / "last.safetensors").stat().st_mtime_ns
    assert pretrain("simclr", finished.folder, resume=True).card == finished.card
    assert (finished.folder / "checkpoints" / "last.safetensors").stat().st_mtime_ns == before


def test_the_score_last_takes_the_latest_as_the_best(dataset: Dataset, tmp_path: Path) -> None:
    run = pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=[*SIMCLR, "score=last"])
    assert run.about_weights("best")["step"] == run.card.steps
    assert not run.card.remarks


def test_a_score_that_the_data_cannot_give_is_remarked_on(dataset: Dataset, tmp_path: Path) -> None:
    run = pretrain(
        "simclr",
        tmp_path / "run",
        data=dataset.folder,
        overrides=[*SIMCLR, "epochs=1", "score=knn_echo_view"],
    )
    assert any("knn_echo_view" in remark for remark in run.card.remarks)


class TestMishaps:
    """Each is one message that says what to do, and destroys nothing."""

    def test_a_folder_with_a_run(self, finished: Run, dataset: Dataset) -> None:
        with pytest.raises(ApicalError, match="finished run here already") as error:
            pretrain("simclr", finished.folder, data=dataset.folder, overrides=SIMCLR)
        assert "another --out" in str(error.value)
        assert Run.open(finished.folder).card.is_finished

    def test_a_folder_with_something_else(self, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("precious")
        with pytest.raises(ApicalError, match="holds something that is no run"):
            pretrain("simclr", tmp_path, data=dataset.folder, overrides=SIMCLR)
        assert (tmp_path / "thesis.txt").read_text() == "precious"

    def test_two_processes_on_one_run_folder(self, dataset: Dataset, tmp_path: Path) -> None:
        other = Lock(tmp_path / ".lock", "trains the run")
        with pytest.raises(MachineError, match="Another process trains the run"):
            pretrain("simclr", tmp_path, data=dataset.folder, overrides=SIMCLR)
        other.release()

    def test_a_batch_larger_than_the_set(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="larger than an epoch") as error:
            pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=[*SIMCLR, "batch_size=512"])
        assert "batch_size=" in str(error.value)
        assert not (tmp_path / "run" / "run.json").exists()

    def test_a_dataset_without_frames_for_the_sampling_rule(self, dataset: Dataset, tmp_path: Path) -> None:
        folder = without_traces(dataset, tmp_path / "dataset")
        overrides = [*SIMCLR, "sampling=between_phases"]
        with pytest.raises(ApicalError) as error:
            pretrain("simclr", tmp_path / "run", data=folder, overrides=overrides)
        assert "sampling=frames" in str(error.value)

    def test_the_state_of_another_method(self, finished: Run) -> None:
        with pytest.raises(ApicalError, match="for the method 'simclr', not 'byol'"):
            pretrain("byol", finished.folder, resume=True)

    def test_other_settings_than_the_run_was_begun_with(self, finished: Run) -> None:
        with pytest.raises(ApicalError, match="other settings of seed, batch_size"):
            pretrain("simclr", finished.folder, resume=True, overrides=["batch_size=6", "seed=7"])

    def test_other_data_than_the_run_was_begun_on(self, finished: Run, phantom_dataset: Datasets) -> None:
        with pytest.raises(ApicalError, match="other data"):
            pretrain("simclr", finished.folder, data=phantom_dataset("camus").folder, resume=True)

    def test_weights_of_another_backbone(self, finished: Run, dataset: Dataset, tmp_path: Path) -> None:
        overrides = [*SIMCLR[1:], "backbone=resnet18"]
        with pytest.raises(ApicalError, match="another backbone"):
            pretrain(
                "simclr",
                tmp_path / "run",
                data=dataset.folder,
                init=str(finished.folder),
                overrides=overrides,
            )

    def test_a_recipe_for_another_method(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="'simclr', not 'byol'"):
            pretrain("byol", tmp_path / "run", data=dataset.folder, recipe="saeed2022-simclr-unet")

    def test_a_recipe_that_is_not_there(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="no recipe 'saeed2022-simclr-une'") as error:
            pretrain("simclr", tmp_path / "run", data=dataset.folder, recipe="saeed2022-simclr-une")
        assert "saeed2022-simclr-unet" in str(error.value)

    def test_no_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="--data DATASET"):
            pretrain("simclr", tmp_path / "run")

    def test_a_score_that_nobody_measures(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="by 'accuracy'"):
            pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=[*SIMCLR, "score=accuracy"])

    def test_views_that_the_method_does_not_know(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="needs other views") as error:
            pretrain(
                "dino",
                tmp_path / "run",
                data=dataset.folder,
                overrides=[TINY_VIT, 'views={"pair": {"count": 2}}'],
            )
        assert "wide" in str(error.value)

    def test_a_device_that_is_not_there(self, dataset: Dataset, tmp_path: Path) -> None:
        device = "mps" if not torch.backends.mps.is_available() else "cuda"
        with pytest.raises(ApicalError, match=f"no {device} device"):
            pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=[*SIMCLR, f"device={device}"])

    def test_the_state_to_resume_from_is_gone(self, dataset: Dataset, tmp_path: Path) -> None:
        run = pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=SIMCLR)
        Run.resume_path(run.folder).unlink()
        before = Run.weights_path(run.folder, "last").read_bytes()
        with pytest.raises(ApicalError, match="not the state to go on from"):
            pretrain("simclr", run.folder, resume=True)
        assert Run.weights_path(run.folder, "last").read_bytes() == before

    def test_a_foreign_file_as_the_state(self, dataset: Dataset, tmp_path: Path) -> None:
        cut = [*SIMCLR, "epochs=1", "checkpoint_seconds=0"]
        run = pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=cut)
        card = {**json.loads((run.folder / "run.json").read_text()), "is_finished": False}
        (run.folder / "run.json").write_text(json.dumps(card))
        Run.resume_path(run.folder).write_bytes(Run.weights_path(run.folder, "last").read_bytes())
        with pytest.raises(ApicalError, match="no state that training can go on from"):
            pretrain("simclr", run.folder, resume=True)

    def test_a_setting_that_only_the_first_step_refuses_can_be_mended(
        self, dataset: Dataset, tmp_path: Path
    ) -> None:
        out = tmp_path / "run"
        with pytest.raises(ApicalError):
            pretrain("simclr", out, data=dataset.folder, overrides=[*SIMCLR, "views.pair.count=3"])
        assert pretrain("simclr", out, data=dataset.folder, overrides=SIMCLR).card.is_finished

    @pytest.mark.parametrize(
        "absurd", ["backbone.image_size=2000000", "views.pair.size=2000000"], ids=["positions", "views"]
    )
    def test_an_absurd_size(self, dataset: Dataset, tmp_path: Path, absurd: str) -> None:
        with pytest.raises(ApicalError, match=r"_size|size.*4096"):
            pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=[*SIMCLR, absurd])
        assert not (tmp_path / "run").exists()

    def test_a_net_that_no_machine_holds(self, dataset: Dataset, tmp_path: Path) -> None:
        huge = [*SIMCLR, "backbone=unet_encoder", "backbone.width=1000000"]
        with pytest.raises(ApicalError, match=r"not enough memory.*smaller backbone"):
            pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=huge)

    def test_another_method_among_the_settings(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="'byol', not 'simclr'"):
            pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=[*TINY, "method=byol"])
        assert not (tmp_path / "run").exists()

    def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on(
        self, dataset: Dataset, finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = save_file
        written: list[str] = []

        def fill_up(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
            if len(written) == 3:
                raise OSError(28, "No space left on device")
            written.append(path.name)
            write(tensors, path, metadata=metadata)

        monkeypatch.setattr(checkpoint, "save_file", fill_up)
        overrides = [*SIMCLR, "checkpoint_seconds=0", "log_every=1"]
        with pytest.raises(MachineError, match="No space left"):
            pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=overrides)
        monkeypatch.undo()
        command = Run.open(tmp_path / "run").card.command
        run = pretrain("simclr", tmp_path / "run", resume=True)
        assert run.card.command == command
        weights, others = run.weights("last"), finished.weights("last")
        assert all(torch.equal(weights[name], others[name]) for name in others)

    def test_features_that_collapse(self, dataset: Dataset, tmp_path: Path) -> None:
        overrides = [
            *SIMCLR,
            "optimiser.lr=1000",
            "schedule.warmup_epochs=0",
            "epochs=200",
            "least_spread=0.9",
        ]
        with pytest.raises(ApicalError, match=r"collapsed|not a finite number"):
            pretrain("simclr", tmp_path / "run", data=dataset.folder, overrides=overrides)
        assert not Run.open(tmp_path / "run").card.is_finished


def without_traces(dataset: Dataset, folder: Path) -> Path:
    """A copy of the dataset that nobody has traced."""
    folder.mkdir()
    for path in dataset.folder.iterdir():
        if path.is_file() and path.name != "traces.parquet":
            (folder / path.name).symlink_to(path)
    dataset.traces.filter(pl.lit(False)).write_parquet(folder / "traces.parquet")
    return folder
