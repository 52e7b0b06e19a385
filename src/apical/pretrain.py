"""Pretrain: a dataset comes in, a run with an encoder goes out. A run that was interrupted goes on where it was."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from apical import registry
from apical.config import dump_config, read_config, read_recipe
from apical.dataset import Dataset
from apical.engine import Log, train
from apical.errors import ApicalError
from apical.launch import Placement, start
from apical.loggers._several import open_loggers
from apical.methods.base import Method
from apical.pretraining import PretrainConfig, Pretraining
from apical.pretraining_card import card_of
from apical.pretraining_report import report_pretraining
from apical.recipes import recipe_path
from apical.run import Run, RunCard
from apical.run_draft import RunDraft, claimed

__all__ = ["pretrain"]

MAY_CHANGE = {*Placement.model_fields, "data", "log_every", "checkpoint_seconds", "frames_on", "loggers"}
"""Settings that a resumed run may have otherwise: they decide where and how it runs, not what it learns."""
GENERAL: Mapping[str, Any] = {
    "backbone": "resnet50",
    "sampling": {"name": "frames", "per_clip": 8},
    "optimiser": {"name": "adamw"},
}
"""Settings where neither a recipe nor the method says otherwise."""


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
        command = _command(method, out, data, recipe, overrides, given)
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
    dataset = Dataset.open(_data_folder(settings, overrides))
    settings = {**GENERAL, **kind.defaults, "method": {"name": method}, **settings}
    if "views" not in settings:
        settings["views"] = kind.default_views(_frame_size(dataset))
    config = read_config(PretrainConfig, overrides=overrides, **settings)
    _refuse_other_method(method, config.method.name)
    return config, dataset


def _trained(draft: RunDraft, config: PretrainConfig, dataset: Dataset, command: str) -> Run:
    fabric = start(config)
    with closing(Pretraining(config, dataset, fabric, goes_on=draft.goes_on)) as job:
        card = card_of(job, dataset, command, draft.former)
        with _logging(draft, config, card, fabric.is_global_zero) as log:
            state = train(job, config, fabric, draft.shelf, log)
        card = replace(card, steps=state.step, seconds=state.seconds, best=state.best, is_finished=True)
        try:
            if fabric.is_global_zero:
                report_pretraining(Run(draft.folder, card), job)
                card.write(draft.folder / "run.json")
        finally:
            fabric.barrier()  # the others' end would cut the first one short
    return Run(draft.folder, card)


@contextmanager
def _logging(draft: RunDraft, config: PretrainConfig, card: RunCard, speaks: bool) -> Iterator[Log]:
    """The run's settings and card are written, and figures are kept; all by the first process alone."""
    if not speaks:
        yield _say_nothing
        return
    settings = config.model_dump(mode="json")
    with closing(open_loggers(config.loggers, draft.folder, settings, draft.shelf.step)) as logger:
        draft.write(dump_config(config), card)
        yield logger.log


def _say_nothing(step: int, figures: Mapping[str, float]) -> None:
    del step, figures


def _frame_size(dataset: Dataset) -> int:
    clips = dataset.usable_clips
    if clips.is_empty():
        raise ApicalError(
            "This dataset has no usable clip",
            where=str(dataset.folder),
            remedy="Look at its exclusions: 'apical inspect' lists the reasons.",
        )
    return min(int(clips["height"][0]), int(clips["width"][0]))


def _data_folder(settings: Mapping[str, Any], overrides: Sequence[str]) -> Path:
    named = [override.partition("=")[2] for override in overrides if override.partition("=")[0] == "data"]
    folder = named[-1] if named else settings.get("data")
    if not folder:
        raise ApicalError(
            "No dataset is named", remedy="Add --data DATASET, a folder that 'apical ingest' wrote."
        )
    return Path(folder)


def _refuse_other_method(method: str, setting: object) -> None:
    named = setting.get("name", method) if isinstance(setting, Mapping) else setting
    if named != method:
        raise ApicalError(
            f"The recipe, the run or a setting is for the method '{named}', not '{method}'",
            remedy=f"Say 'apical pretrain {named}', or leave the recipe out, or take a new --out.",
        )


def _command(
    method: str,
    out: Path,
    data: Path | None,
    recipe: str | None,
    overrides: Sequence[str],
    given: Mapping[str, Any],
) -> str:
    """What to type to do the same again."""
    words = ["apical", "pretrain", method, "--out", str(out)]
    options = {"data": data, "recipe": recipe, **given}
    for name, value in options.items():
        words += [f"--{name}", str(value)] if value is not None else []
    return shlex.join([*words, *overrides])
