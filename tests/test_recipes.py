"""Every recipe is complete and fits; the papers' have the papers' numbers, the tiny ones end in about a minute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from apical import registry
from apical.config import read_config, read_recipe
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.finetune import finetune
from apical.finetuning import FinetuneConfig
from apical.fitting import FitConfig
from apical.pretrain import pretrain
from apical.pretraining import PretrainConfig
from apical.recipes import recipe_path
from apical.tasks.base import FittedTask

EVERY_TASKS = {
    name: name.split("-")[0]
    for name in registry.names("recipes")
    if name.split("-")[0] in registry.names("tasks")
}
"""Recipes for fine-tuning, by name: TASK-WORD."""
FITTED = {
    name: task for name, task in EVERY_TASKS.items() if issubclass(registry.load("tasks", task), FittedTask)
}
TASKS = {name: task for name, task in EVERY_TASKS.items() if name not in FITTED}
RECIPES = [name for name in registry.names("recipes") if name not in EVERY_TASKS]
TINY = [name for name in RECIPES if name.endswith("-tiny")]
MUST_BE_SAID = {
    "method",
    "backbone",
    "init",
    "sampling",
    "views",
    "optimiser",
    "schedule",
    "batch_size",
    "epochs",
}


MUST_BE_SAID_FOR_A_TASK = {
    "task",
    "network",
    "backbone",
    "init",
    "trains",
    "size",
    "view",
    "consistency",
    "optimiser",
    "schedule",
    "batch_size",
    "epochs",
}


def settings(name: str) -> PretrainConfig:
    return read_config(PretrainConfig, recipe_path(name), data="anywhere")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_complete_and_fits(name: str) -> None:
    config = settings(name)
    assert set(read_recipe(recipe_path(name))) >= MUST_BE_SAID
    method = registry.load("methods", config.method.name)
    assert set(method.view_groups) <= set(config.views)


@pytest.mark.parametrize("name", [name for name in RECIPES if f"{name}-tiny" in RECIPES])
def test_a_tiny_recipe_is_of_the_same_method_and_rule(name: str) -> None:
    whole, tiny = settings(name), settings(f"{name}-tiny")
    assert whole.method.name == tiny.method.name
    assert whole.sampling.name == tiny.sampling.name
    assert list(whole.views) == list(tiny.views)


def test_each_recipe_of_a_paper_has_a_tiny_one() -> None:
    assert {name.removesuffix("-tiny") for name in TINY} == set(RECIPES) - set(TINY)


@pytest.mark.parametrize("name", ["saeed2022-simclr-deeplabv3", "saeed2022-byol-deeplabv3"])
def test_simclr_and_byol_have_the_same_stride(name: str) -> None:
    assert settings(name).backbone.model_dump()["stride"] == 8


def test_the_papers_numbers_are_there() -> None:
    simclr, byol = settings("saeed2022-simclr-deeplabv3"), settings("saeed2022-byol-deeplabv3")
    assert (simclr.optimiser.lr, simclr.optimiser.weight_decay) == (1e-3, 1e-6)
    assert (simclr.batch_size, simclr.epochs, simclr.schedule.warmup_epochs) == (128, 300, 10)
    assert (byol.optimiser.lr, byol.schedule.by) == (0.2, "epoch")
    dino = settings("alan-dino-vits4")
    assert (dino.epochs, dino.clip_norm, dino.optimiser.final_weight_decay) == (40, 3.0, 0.4)
    assert dino.backbone.model_dump()["patch"] == 4


@pytest.mark.parametrize("name", TINY)
def test_a_tiny_recipe_runs(name: str, phantom_dataset: Callable[..., Dataset], tmp_path: Path) -> None:
    data = phantom_dataset("echonet_dynamic").folder
    method = settings(name).method.name
    few = ["epochs=1", "epoch_steps=1", "batch_size=4", "monitor_images=8", "precision=32"]
    if settings(name).init == "random":
        run = pretrain(method, tmp_path / "run", data=data, recipe=name, overrides=few)
        assert run.card.is_finished
    else:
        weights = dino_file(tmp_path / "dino.pth")
        run = pretrain(
            method, tmp_path / "run", data=data, recipe=name, init=f"dino:{weights}", overrides=few[1:]
        )
        assert run.card.steps == 0
        assert "dino.pth" in " ".join(run.card.licences)


def test_a_recipe_whose_weights_cannot_be_fetched_says_what_to_do(
    phantom_dataset: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = phantom_dataset("echonet_dynamic").folder
    with pytest.raises(ApicalError, match="can't be fetched") as error:
        pretrain(
            "dino",
            tmp_path / "run",
            data=data,
            recipe="alan-dino-vits8-imagenet-tiny",
            overrides=["batch_size=4"],
        )
    assert "init=dino:PATH" in str(error.value)


def dino_file(path: Path) -> Path:
    """Random weights, named and shaped as in DINO's own file of a ViT-S/8."""
    from timm.models.vision_transformer import VisionTransformer

    net = VisionTransformer(patch_size=8, num_classes=0, embed_dim=384, depth=12, num_heads=6)
    torch.save(net.state_dict(), path)
    return path


@pytest.mark.parametrize(("name", "task"), TASKS.items())
def test_a_recipe_for_a_task_is_complete_and_fits(name: str, task: str) -> None:
    config = read_config(FinetuneConfig, recipe_path(name), data="anywhere")
    assert set(read_recipe(recipe_path(name))) >= MUST_BE_SAID_FOR_A_TASK
    assert config.task.name == task
    assert config.backbone.name in registry.load("networks", config.network.name).backbones


@pytest.mark.parametrize(("name", "task"), FITTED.items())
def test_a_recipe_for_a_fitted_task_is_complete_and_fits(name: str, task: str) -> None:
    config = read_config(
        FitConfig, recipe_path(name), data="anywhere", init="a run", backbone={"name": "resnet18"}
    )
    assert set(read_recipe(recipe_path(name))) >= {"task", "labels", "size"}
    assert config.task.name == task


@pytest.mark.parametrize(("name", "task"), EVERY_TASKS.items())
def test_a_recipe_for_a_task_is_known_by_its_word(name: str, task: str) -> None:
    assert recipe_path(name.removeprefix(f"{task}-"), task) == recipe_path(name)


@pytest.mark.parametrize("word", ["best", "tiny"])
def test_our_recipe_for_the_ventricle_runs(
    word: str, phantom_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    few = ["epochs=1", "epoch_steps=2", "batch_size=2", "size=32", "precision=32"]
    data = phantom_dataset("echonet_dynamic").folder
    run = finetune("lv_segmentation", tmp_path / "run", data=data, recipe=word, overrides=few)
    assert run.card.steps == 2


def test_the_papers_recipe_has_the_papers_numbers() -> None:
    deeplab = read_config(FinetuneConfig, recipe_path("paper", "lv_segmentation"), data="anywhere")
    unet = read_config(FinetuneConfig, recipe_path("paper-unet", "lv_segmentation"), data="anywhere")
    assert (deeplab.optimiser.name, deeplab.optimiser.lr, unet.optimiser.lr) == ("madgrad", 1e-4, 1e-5)
    assert (deeplab.epochs, deeplab.batch_size, deeplab.size) == (50, 128, (224, 224))
    assert deeplab.schedule.shape == "constant"
    assert deeplab.labels_by == "image"
    assert not deeplab.view.augmentations


def test_the_papers_recipe_for_views_has_the_papers_numbers() -> None:
    recipe = recipe_path("paper", "echo_view")
    config = read_config(
        FitConfig, recipe, data="anywhere", init="a run", backbone={"name": "vit_small"}
    ).task.model_dump()
    assert (config["rule"], config["k"], config["temperature"]) == ("neighbours", 10, 0.07)
    assert (set(config["echo_views"]), config["refuses"]) == ({"a2c", "a4c", "plax", "psax"}, False)
    assert not config["allow_leakage"]
