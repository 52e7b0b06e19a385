"""Finetune: a dataset with few labels and first weights come in; a run with a model of a task goes out.

A trained task takes steps; a fitted one looks once through an encoder that stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from apical import registry
from apical.config import PieceConfig, named_pieces, read_config, read_recipe
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.finetuning import FinetuneConfig, Finetuning
from apical.finetuning_report import report_finetuning
from apical.fitting import FitConfig, fitted_run, settings_of_start
from apical.fitting_report import report_fitting
from apical.launch import start
from apical.memory import enough_memory
from apical.networks.base import Network, networks_for
from apical.recipes import recipe_path
from apical.run import Run
from apical.run_draft import RunDraft, claimed
from apical.starts import backbone_of_start
from apical.sweeping import Sweep, swept
from apical.tasks.base import FittedTask, TrainedTask
from apical.training_run import MAY_CHANGE, command_line, data_folder, run_card, trained_run

__all__ = ["finetune"]

SMALLER = "Take a smaller batch_size, more parts of it (accumulate), a smaller size, or a smaller backbone."
"""What needs less memory."""


def finetune(
    task: str,
    out: Path,
    *,
    data: Path | None = None,
    network: str | None = None,
    recipe: str | None = None,
    resume: bool = False,
    sweep: str | None = None,
    overrides: Sequence[str] = (),
    **given: Any,
) -> Run:
    """Train, or fit, the run folder `out` for `task` on some of the labels of the dataset `data`.

    With `sweep`, a setting and several values, the best of as many runs becomes this one.
    """
    if sweep is not None:
        words = {"data": data, "network": network, "recipe": recipe, "sweep": sweep, **given}
        known = {"data": data, "network": network, "recipe": recipe, "resume": resume, **given}
        return swept(
            out,
            Sweep.read(sweep),
            command_line("finetune", task, out, words, overrides),
            resumes=resume,
            train=lambda folder, setting: finetune(task, folder, overrides=[*overrides, setting], **known),
        )
    chosen = {**given, "network": network, "data": None if data is None else str(data.resolve())}
    learns = _fitted if issubclass(registry.load("tasks", task), FittedTask) else _trained
    with claimed(out, resumes=resume) as draft, enough_memory("these settings", SMALLER):
        options = {"data": data, "network": network, "recipe": recipe, **given}
        command = command_line("finetune", task, out, options, overrides)
        return learns(task, draft, recipe, overrides, chosen, command)


def _known(
    task: str, draft: RunDraft, recipe: str | None, overrides: Sequence[str], chosen: Mapping[str, Any]
) -> tuple[Mapping[str, Any], dict[str, Any], Dataset]:
    """What a recipe or the run itself says, all that is said, and the dataset."""
    known: Mapping[str, Any] = read_recipe(recipe_path(recipe, task)) if recipe else {}
    if draft.former is not None:
        known = {**draft.former.config, **known}
    settings = {
        "task": {"name": task},
        **known,
        **{key: value for key, value in chosen.items() if value is not None},
    }
    _refuse_other_task(task, settings["task"])
    dataset = Dataset.open(data_folder(settings, overrides))
    settings.setdefault("size", list(dataset.frame_size))
    return known, settings, dataset


def _settled(
    task: str, draft: RunDraft, recipe: str | None, overrides: Sequence[str], chosen: Mapping[str, Any]
) -> tuple[FinetuneConfig, Dataset]:
    """All settings of a training, and the dataset they are for."""
    kind: type[TrainedTask] = registry.load("tasks", task)
    known, settings, dataset = _known(task, draft, recipe, overrides, chosen)
    settings = {**kind.defaults, **settings}
    named = named_pieces(overrides)
    start = backbone_of_start(named.get("init", settings.get("init", "random")), known)
    settings = {**settings, **_network_and_backbone(kind, settings, named, chosen["network"], start)}
    config = read_config(FinetuneConfig, overrides=overrides, **settings)
    _refuse_other_task(task, config.task.name)
    _refuse_unfit(kind, config)
    settled = kind.settled(config.task, dataset)
    return config.model_copy(update={"task": settled}), dataset


def _fitted(
    task: str,
    draft: RunDraft,
    recipe: str | None,
    overrides: Sequence[str],
    chosen: Mapping[str, Any],
    command: str,
) -> Run:
    if draft.former is not None and draft.former.card.is_finished:
        return draft.former
    _, settings, dataset = _known(task, draft, recipe, overrides, chosen)
    init = named_pieces(overrides).get("init", settings.get("init"))
    if init is None:
        raise ApicalError(
            f"{task} looks through an encoder that has learnt already, and none is named",
            remedy="Add --init RUN, a run that 'apical pretrain' wrote.",
        )
    kind: type[FittedTask] = registry.load("tasks", task)
    start_settings = settings_of_start(str(init), parcels=kind.needs_parcels)
    config = read_config(FitConfig, overrides=overrides, **{**settings, **start_settings})
    settled = kind.settled(config.task, dataset)
    return fitted_run(draft, config.model_copy(update={"task": settled}), dataset, command, report_fitting)


def _network_and_backbone(
    task: type[TrainedTask],
    settings: Mapping[str, Any],
    named: Mapping[str, str],
    network: str | None,
    start: Any,
) -> dict[str, Any]:
    """Both: what a user named, then what the run to start from has, then the recipe's, then the usual ones."""
    wanted = network or named.get("network")
    backbone = {"name": named["backbone"]} if "backbone" in named else start
    chosen = wanted or settings.get("network")
    usual = settings.get("backbone")
    if usual and not (wanted and wanted not in networks_for(_name_of(usual))):
        backbone = backbone or usual
    if chosen is None or (
        wanted is None and backbone and _name_of(chosen) not in networks_for(_name_of(backbone))
    ):
        chosen = _usual_network(task, backbone)
    kind: type[Network] = registry.load("networks", _name_of(chosen))
    return {"network": chosen, "backbone": backbone or dict(kind.default_backbone)}


def _usual_network(task: type[TrainedTask], backbone: Any) -> str:
    if backbone is None:
        return task.networks[0]
    fitting = networks_for(_name_of(backbone), task.wants)
    return next((name for name in task.networks if name in fitting), task.networks[0])


def _refuse_unfit(task: type[TrainedTask], config: FinetuneConfig) -> None:
    network: type[Network] = registry.load("networks", config.network.name)
    if network.gives != task.wants:
        fitting = networks_for(config.backbone.name, task.wants)
        raise ApicalError(
            f"The network '{config.network.name}' gives {network.gives}, but {config.task.name} wants {task.wants}",
            remedy=f"Set network={' or '.join(fitting or task.networks)}, or leave it out.",
        )


def _name_of(piece: Any) -> str:
    if isinstance(piece, PieceConfig):
        return piece.name
    return str(piece.get("name")) if isinstance(piece, Mapping) else str(piece)


def _trained(
    task: str,
    draft: RunDraft,
    recipe: str | None,
    overrides: Sequence[str],
    chosen: Mapping[str, Any],
    command: str,
) -> Run:
    config, dataset = _settled(task, draft, recipe, overrides, chosen)
    draft.refuse_changes(config.model_dump(mode="json"), MAY_CHANGE, dataset.card.content_sha256)
    if draft.former is not None and draft.former.card.is_finished:
        return draft.former
    with closing(Finetuning(config, dataset, start(config), goes_on=draft.goes_on)) as job:
        card = run_card(
            job,
            config.precision,
            dataset,
            stage="finetune",
            method=config.task.name,
            command=command,
            counts=job.counts,
            weights_licence=job.start.licence,
            former=draft.former,
        )
        if job.fabric.is_global_zero:
            job.labels.write(draft.folder)
        return trained_run(draft, config, job, card, lambda run: report_finetuning(run, job))


def _refuse_other_task(task: str, setting: object) -> None:
    named = setting.get("name", task) if isinstance(setting, Mapping) else setting
    if named != task:
        raise ApicalError(
            f"The recipe, the run or a setting is for the task '{named}', not '{task}'",
            remedy=f"Say 'apical finetune {named}', or leave the recipe out, or take a new --out.",
        )
