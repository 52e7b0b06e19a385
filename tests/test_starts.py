"""Where fine-tuning starts: every tensor of a run's encoder, of a fine-tuned one the decoder too; or an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from apical import registry
from apical.dataset import Dataset
from apical.encoders import BACKBONE
from apical.errors import ApicalError
from apical.evaluate import evaluate
from apical.finetune import finetune
from apical.finetuning import FinetuneConfig
from apical.networks.base import networks_for
from apical.pretrain import pretrain
from apical.run import Run
from apical.starts import start_network
from tests.resume.test_resume import GROUPS, SMALL
from tests.tasks.painted import painted

TASK = "lv_segmentation"
TASK_OF = {"maps": TASK, "vectors": "diagnosis"}
METHODS = registry.names("methods")
BACKBONES = {
    "vit_small": 'backbone={"name": "vit_small", "patch": 8, "image_size": 32, "dim": 24, "depth": 2, "heads": 2}',
    "unet_encoder": 'backbone={"name": "unet_encoder", "width": 4}',
}
ALIKE = ["precision=32", "device=cpu", "schedule.warmup_epochs=0", "batch_size=4", "epoch_steps=1"]


@pytest.fixture(scope="module", autouse=True)
def without_reports() -> Iterator[None]:
    """Pictures are slow, and nothing here looks at any."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("apical.finetune.report_finetuning", lambda _run, _job: None)
        patched.setattr("apical.pretrain.report_pretraining", lambda _run, _job: None)
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def pretrained(dataset: Dataset, runs: Path, method: str, backbone: str) -> Run:
    """A run of a step, trained once."""
    out = runs / f"{method}-{backbone}"
    sizes = [f"views.{group}.size=32" for group in GROUPS.get(method, ("pair",))]
    settings = [
        BACKBONES[backbone],
        *ALIKE,
        *sizes,
        "sampling.name=frames",
        *SMALL.get(method, []),
        "epochs=1",
    ]
    return pretrain(method, out, data=dataset.folder, overrides=[*settings, "monitor_images=8"], resume=True)


def started(
    dataset: Dataset, out: Path, init: Path | str, *overrides: str, epochs: int = 0, task: str = TASK
) -> Run:
    """A fine-tuning that has taken no step: what it leaves is what it starts from."""
    settings = ["size=32", "fewest_samples=8", f"epochs={epochs}", "average=null", *ALIKE, *overrides]
    return finetune(task, out, data=dataset.folder, init=str(init), overrides=settings)


def differing(start: Run, then: Run) -> set[str]:
    """Names of tensors of both that are not the same, bit by bit."""
    before, after = start.weights("best"), then.weights("last")
    return {name for name in before.keys() & after.keys() if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", networks_for("vit_small"))
def test_every_tensor_of_every_methods_encoder_is_taken(
    method: str, network: str, dataset: Dataset, runs: Path, tmp_path: Path
) -> None:
    start = pretrained(dataset, runs, method, "vit_small")
    task = TASK_OF[registry.load("networks", network).gives]
    run = started(dataset, tmp_path / "run", start.folder, f"network={network}", task=task)
    mine, theirs = (
        {name for name in each.weights("best") if name.startswith(BACKBONE)} for each in (run, start)
    )
    assert mine == theirs
    assert not differing(start, run)
    assert run.config["backbone"] == start.config["backbone"]
    assert run.config["network"]["name"] == network


@pytest.mark.parametrize("network", networks_for("unet_encoder"))
def test_networks_that_fit_the_runs_backbone_take_it(
    network: str, dataset: Dataset, runs: Path, tmp_path: Path
) -> None:
    start = pretrained(dataset, runs, METHODS[0], "unet_encoder")
    task = TASK_OF[registry.load("networks", network).gives]
    run = started(dataset, tmp_path / "run", start.folder, f"network={network}", task=task)
    assert set(start.weights("best")) <= set(run.weights("last"))
    assert not differing(start, run)


def test_the_network_is_one_that_fits_the_run_where_none_is_named(
    dataset: Dataset, runs: Path, tmp_path: Path
) -> None:
    names = {}
    for backbone in BACKBONES:
        start = pretrained(dataset, runs, METHODS[0], backbone)
        names[backbone] = started(dataset, tmp_path / backbone, start.folder).config["network"]["name"]
    assert names == {"vit_small": "token_decoder", "unet_encoder": "unet_resnet"}


def test_the_network_is_one_that_fits_the_backbone_that_is_named(dataset: Dataset, tmp_path: Path) -> None:
    run = started(dataset, tmp_path / "a", "random", BACKBONES["vit_small"])
    assert (run.config["network"]["name"], run.config["backbone"]["dim"]) == ("token_decoder", 24)
    run = started(dataset, tmp_path / "b", "random", "network=unet", "backbone.width=4")
    assert run.config["backbone"]["name"] == "unet_encoder"


@pytest.fixture(scope="module")
def start(dataset: Dataset, runs: Path) -> Run:
    """A fine-tuned run."""
    return started(dataset, runs / "fine", "random", "network=unet", BACKBONES["unet_encoder"], epochs=1)


class TestOfAFinetunedRun:
    """Its network is taken whole, if it is for the same; else its encoder."""

    def test_the_same_network_for_the_same_task_is_taken_whole(
        self, start: Run, dataset: Dataset, tmp_path: Path
    ) -> None:
        run = started(dataset, tmp_path / "run", start.folder, "network=unet")
        assert run.weights("last").keys() == start.weights("best").keys()
        assert not differing(start, run)

    @pytest.mark.parametrize(
        "other",
        [
            ["network=unet_resnet"],
            ["network=unet", "task.structures=[lv]"],
            ["network=unet", "task.head=independent"],
        ],
    )
    def test_of_another_network_or_task_the_encoder_is_taken(
        self, other: list[str], start: Run, dataset: Dataset, tmp_path: Path
    ) -> None:
        run = started(dataset, tmp_path / "run", start.folder, *other)
        encoder = {name for name in start.weights("best") if name.startswith(BACKBONE)}
        assert not differing(start, run) & encoder
        assert encoder <= set(run.weights("last"))
        assert "classifier.weight" in differing(start, run)

    def test_how_many_tensors_were_taken_is_said(self, start: Run) -> None:
        config = FinetuneConfig.model_validate({**start.config, "init": str(start.folder), "data": "here"})
        taken = start_network(config, 4)[1].num_tensors
        assert taken == len(start.weights("best")) - len({"input_mean", "input_std"})

    def test_other_settings_of_the_same_network_take_the_encoder(
        self, dataset: Dataset, tmp_path: Path
    ) -> None:
        vit = ["network=token_decoder", BACKBONES["vit_small"]]
        start = started(
            dataset, tmp_path / "start", "random", *vit, "network.edge_width=4", "network.width=16"
        )
        run = started(
            dataset,
            tmp_path / "run",
            start.folder,
            "network=token_decoder",
            "network.edge_width=8",
            "network.width=16",
        )
        assert not {name for name in differing(start, run) if name.startswith(BACKBONE)}

    def test_a_vision_transformer_may_work_at_another_size(self, dataset: Dataset, tmp_path: Path) -> None:
        start = started(dataset, tmp_path / "start", "random", BACKBONES["vit_small"])
        larger = BACKBONES["vit_small"].replace('"image_size": 32', '"image_size": 64')
        run = started(dataset, tmp_path / "run", start.folder, larger, "size=64")
        before, after = start.weights("best"), run.weights("last")
        assert all(
            torch.equal(before[name], after[name])
            for name in before
            if before[name].shape == after[name].shape
        )


def test_settings_of_a_backbone_that_the_start_has_otherwise_are_kept_and_repeat_the_run(
    dataset: Dataset, runs: Path, tmp_path: Path
) -> None:
    start = pretrained(dataset, runs, METHODS[0], "vit_small")
    run = started(dataset, tmp_path / "run", start.folder, "backbone.drop_path=0.5", epochs=2)
    assert run.config["backbone"] == {**start.config["backbone"], "drop_path": 0.5}
    again = finetune(TASK, tmp_path / "again", recipe=str(run.folder / "config.yaml"))
    assert again.config == run.config
    weights, others = run.weights("last"), again.weights("last")
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert finetune(TASK, run.folder, resume=True).card == run.card


class TestMisfits:
    """Each is named, and says what would fit."""

    def test_a_network_on_another_backbone(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(
            ApicalError, match=r"'unet' is built on unet_encoder, not on vit_small.*token_decoder"
        ):
            started(dataset, tmp_path / "run", "random", "network=unet", BACKBONES["vit_small"])

    def test_a_network_on_a_run_with_another_backbone(
        self, dataset: Dataset, runs: Path, tmp_path: Path
    ) -> None:
        start = pretrained(dataset, runs, METHODS[0], "vit_small")
        with pytest.raises(ApicalError, match="'unet' is built on unet_encoder, not on vit_small"):
            started(dataset, tmp_path / "run", start.folder, "network=unet")

    def test_a_run_with_another_backbone(self, dataset: Dataset, runs: Path, tmp_path: Path) -> None:
        start = pretrained(dataset, runs, METHODS[0], "vit_small")
        with pytest.raises(ApicalError, match=r"another backbone than unet_encoder.*Set backbone=vit_small"):
            started(dataset, tmp_path / "run", start.folder, BACKBONES["unet_encoder"], "network=unet")

    def test_a_stride_that_deeplab_does_not_work_with(self, dataset: Dataset, tmp_path: Path) -> None:
        coarse = ["network=deeplabv3", "backbone=resnet18", "backbone.stride=32"]
        with pytest.raises(
            ApicalError, match=r"'deeplabv3' does not work on a backbone of stride 32.*stride=8"
        ):
            started(dataset, tmp_path / "run", "random", *coarse)

    def test_a_start_that_is_nowhere(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="nothing that unet_encoder can start from"):
            started(dataset, tmp_path / "run", tmp_path / "nowhere", "network=unet")

    def test_a_pretraining_run_has_nothing_to_evaluate(
        self, dataset: Dataset, runs: Path, tmp_path: Path
    ) -> None:
        start = pretrained(dataset, runs, METHODS[0], "vit_small")
        with pytest.raises(ApicalError, match=r"learnt no task.*apical finetune TASK --init RUN"):
            evaluate(start.folder, dataset.folder, tmp_path / "scores")
        assert not (tmp_path / "scores").exists()
