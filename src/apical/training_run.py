"""What all trainings share: a job and its run's folder come in; a trained, reported run goes out."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch

from apical.config import dump_config
from apical.dataset import Dataset
from apical.engine import Log, train
from apical.errors import ApicalError
from apical.launch import Placement
from apical.loggers._several import open_loggers
from apical.precision import Precision, resolve_precision
from apical.run import Run, RunCard
from apical.run_draft import RunDraft
from apical.trainer import Job, TrainingConfig
from apical.version import VERSION

__all__ = ["MAY_CHANGE", "RunJob", "RunSettings", "command_line", "data_folder", "run_card", "trained_run"]

MAY_CHANGE = {*Placement.model_fields, "data", "log_every", "checkpoint_seconds", "frames_on", "loggers"}
"""Settings that a resumed run may have otherwise: they decide where and how it runs, not what it learns."""


class RunSettings(TrainingConfig):
    """Settings of every training that leaves a run."""

    data: str
    """The dataset folder."""
    loggers: tuple[str, ...] = ()
    """Where figures go beside metrics.jsonl: tensorboard, mlflow, wandb."""


class PlacedJob(Protocol):
    """A job that can say where it runs, and what of it a reader should know."""

    fabric: Any
    remarks: tuple[str, ...]


class RunJob(Job, PlacedJob, Protocol):
    """The same of a job that is trained."""


def trained_run(
    draft: RunDraft, config: RunSettings, job: RunJob, card: RunCard, report: Callable[[Run], object]
) -> Run:
    """Train to the end, report, and only then call the run finished."""
    fabric = job.fabric
    with _logging(draft, config, card, fabric.is_global_zero) as log:
        state = train(job, config, fabric, draft.shelf, log)
    card = replace(card, steps=state.step, seconds=state.seconds, best=state.best, is_finished=True)
    try:
        if fabric.is_global_zero:
            report(Run(draft.folder, card))
            card.write(draft.folder / "run.json")
    finally:
        fabric.barrier()  # the others' end would cut the first one short
    return Run(draft.folder, card)


def run_card(
    job: PlacedJob,
    precision: Precision,
    dataset: Dataset,
    *,
    stage: str,
    method: str,
    command: str,
    counts: Mapping[str, int],
    weights_licence: str,
    former: Run | None,
) -> RunCard:
    """What can be said before the first step of this start; how the run was begun stays as it was said then."""
    data, device = dataset.card, job.fabric.device
    terms = [("data", data.licence), ("weights", weights_licence)]
    card = RunCard(
        stage=stage,
        method=method,
        command=command,
        data={
            "title": data.title,
            "source": data.source,
            "licence": data.licence,
            "citation": data.citation,
            "is_synthetic": data.is_synthetic,
            "content_sha256": data.content_sha256,
            "preprocessing": dict(data.preprocessing),
            **counts,
        },
        licences=tuple(f"{what}: {licence}" for what, licence in terms if licence),
        versions={"apical": VERSION, "torch": torch.__version__, "python": platform.python_version()},
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        processes=job.fabric.world_size,
        precision=resolve_precision(precision, device),
        remarks=job.remarks,
    )
    if former is None:
        return card
    begun = former.card
    return replace(
        card,
        command=begun.command,
        licences=begun.licences,
        steps=begun.steps,
        seconds=begun.seconds,
        best=begun.best,
    )


def data_folder(settings: Mapping[str, Any], overrides: Sequence[str]) -> Path:
    """The dataset's folder, as a setting or an override names it."""
    named = [override.partition("=")[2] for override in overrides if override.partition("=")[0] == "data"]
    folder = named[-1] if named else settings.get("data")
    if not folder:
        raise ApicalError(
            "No dataset is named", remedy="Add --data DATASET, a folder that 'apical ingest' wrote."
        )
    return Path(folder)


def command_line(
    stage: str, piece: str, out: Path, options: Mapping[str, object], overrides: Sequence[str]
) -> str:
    """What to type to do the same again."""
    words = ["apical", stage, piece, "--out", str(out)]
    for name, value in options.items():
        words += [f"--{name}", str(value)] if value is not None else []
    return shlex.join([*words, *overrides])


@contextmanager
def _logging(draft: RunDraft, config: RunSettings, card: RunCard, speaks: bool) -> Iterator[Log]:
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
