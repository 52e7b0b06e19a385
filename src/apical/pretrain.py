"""Pretrain: a dataset comes in, a run with an encoder goes out. A run that was interrupted goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from apical import registry
from apical.config import named_pieces, read_config, read_recipe
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.launch import start
from apical.memory import enough_memory
from apical.methods.base import Method
from apical.pretraining import PretrainConfig, Pretraining
from apical.pretraining_report import report_pretraining
from apical.recipes import recipe_path
from apical.run import Run
from apical.run_draft import RunDraft, claimed
from apical.starts import backbone_of_start
from apical.training_run import MAY_CHANGE, command_line, data_folder, run_card, trained_run

__all__ = ["pretrain"]

GENERAL: Mapping[str, Any] = {
    "backbone": "resnet50",
    "sampling": {"name": "frames", "per_clip": 8},
    "optimiser": {"name": "adamw"},
}
"""Settings where neither a recipe nor the method says otherwise."""
SMALLER = "Take a smaller batch_size, more parts of it (accumulate), smaller views, or a smaller backbone."
"""What needs less memory."""


def pretrain(
    method: str,
    out: Path,
    *,
    data: Path | None = None,
    recipe: str | None = None,
    resume: bool = False,
    overrides: Sequence[str] = (),
    **given: Any,
) -> Run:
    """Train the run folder `out` by `method` on the dataset `data`; a recipe's settings go before the method's own."""
    chosen = {**given, "data": None if data is None else str(data.resolve())}
    with claimed(out, resumes=resume) as draft:
        config, dataset = _settled(method, draft, recipe, overrides, chosen)
        settings = config.model_dump(mode="json")
        draft.refuse_changes(settings, MAY_CHANGE, dataset.card.content_sha256)
        if draft.former is not None and draft.former.card.is_finished:
            return draft.former
        command = command_line("pretrain", method, out, {"data": data, "recipe": recipe, **given}, overrides)
        with enough_memory("these settings", SMALLER):
            return _trained(draft, config, dataset, command)


def _settled(
    method: str, draft: RunDraft, recipe: str | None, overrides: Sequence[str], chosen: Mapping[str, Any]
) -> tuple[PretrainConfig, Dataset]:
    """All settings, and the dataset they are for."""
    kind: type[Method] = registry.load("methods", method)
    known: Mapping[str, Any] = read_recipe(recipe_path(recipe)) if recipe else {}
    if draft.former is not None:
        known = {**draft.former.config, **known}
    settings = {**known, **{key: value for key, value in chosen.items() if value is not None}}
    _refuse_other_method(method, settings.get("method", method))
    dataset = Dataset.open(data_folder(settings, overrides))
    init = named_pieces(overrides).get("init", str(settings.get("init", "random")))
    start = backbone_of_start(init, known)
    settings = {**({"backbone": start} if start else {}), **settings}
    settings = {**GENERAL, **kind.defaults, "method": {"name": method}, **settings}
    if "views" not in settings:
        settings["views"] = kind.default_views(min(dataset.frame_size))
    config = read_config(PretrainConfig, overrides=overrides, **settings)
    _refuse_other_method(method, config.method.name)
    kind.refuse_clips(config.method, getattr(config.sampling, "frames", 1))
    return config, dataset


def _trained(draft: RunDraft, config: PretrainConfig, dataset: Dataset, command: str) -> Run:
    with closing(Pretraining(config, dataset, start(config), goes_on=draft.goes_on)) as job:
        card = run_card(
            job,
            config.precision,
            dataset,
            stage="pretrain",
            method=config.method.name,
            command=command,
            counts=job.counts,
            weights_licence=job.start.licence,
            former=draft.former,
        )
        return trained_run(draft, config, job, card, lambda run: report_pretraining(run, job))


def _refuse_other_method(method: str, setting: object) -> None:
    named = setting.get("name", method) if isinstance(setting, Mapping) else setting
    if named != method:
        raise ApicalError(
            f"The recipe, the run or a setting is for the method '{named}', not '{method}'",
            remedy=f"Say 'apical pretrain {named}', or leave the recipe out, or take a new --out.",
        )
