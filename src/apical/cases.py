"""Cases to look into: a model and a dataset come in; studies with what is believed of them and the truth go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import polars as pl
import torch

from apical.dataset import Dataset
from apical.errors import ApicalError, nearest
from apical.examples import Watched
from apical.models import Model
from apical.progress import progress
from apical.tasks.diagnosis import Diagnosis

__all__ = ["Case", "cases_of", "diagnosis_of"]

NAMED = "named"
AT_ONCE = 16
KEYS = ["patient", "study"]


@dataclass(frozen=True)
class Case:
    """A study, by the look at one of its videos that speaks most for the answer."""

    study: str
    clip: str
    row: int
    """Of the clips' table."""
    frame: int
    """With which the look begins."""
    why: str
    """Why it was chosen."""
    answer: str
    number: int
    """Of the answer, among the classes."""
    truth: str
    belief: float
    """In the answer, of the whole study."""
    clip_belief: float
    """In the answer, of this look alone."""

    @property
    def verdict(self) -> str:
        """What is believed and what is true, for captions."""
        return f"says {self.answer} ({self.belief:.2f}), is {self.truth}"


def diagnosis_of(model: Model) -> Diagnosis:
    """The model's task; an error says which runs can be explained."""
    if isinstance(model.task, Diagnosis):
        return model.task
    raise ApicalError(
        f"A run of {model.task.config.name} gives no answer about whole studies, which is what is explained",
        remedy="Name a run of 'apical finetune diagnosis'; 'apical evaluate' and 'apical parcels' draw other tasks.",
    )


def cases_of(
    model: Model,
    dataset: Dataset,
    clips: pl.DataFrame,
    names: Sequence[str],
    number: int,
    device: torch.device,
) -> list[Case]:
    """The studies of these names or, without names, up to `number`: sure and right, sure and wrong, and unsure ones."""
    task = diagnosis_of(model)
    examples = _examples(task, dataset, clips, names)
    looks = _looks(model, dataset, clips, examples, device)
    studies = _with_belief(task, task.scored(looks))
    chosen = [(NAMED, row) for row in _named(studies, names)] if names else _telling(studies, number)
    rows = dict(examples.select("clip", "row").iter_rows())
    return [_case(task, why, study, looks, rows) for why, study in chosen]


def _examples(task: Diagnosis, dataset: Dataset, clips: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The looks at labelled studies, of those names if there are any."""
    labelled = task.examples(dataset, clips)
    if labelled.is_empty():
        raise ApicalError(
            f"No study here has an answer to '{task.config.label}'",
            where=str(dataset.folder),
            remedy="Take another --split; 'apical inspect' counts labels.",
        )
    there = labelled["study"].unique().to_list()
    for name in names:
        if name not in there:
            raise ApicalError(
                f"There is no study '{name}' with an answer in this split",
                where=str(dataset.folder),
                remedy=f"{nearest(name, there)[:400]} (--split all looks everywhere)",
            )
    wanted = labelled.filter(pl.col("study").is_in(list(names))) if names else labelled
    return task.looks(dataset, wanted)


def _looks(
    model: Model, dataset: Dataset, clips: pl.DataFrame, examples: pl.DataFrame, device: torch.device
) -> pl.DataFrame:
    """What is believed of each look, with the truth."""
    watched = Watched.at(model.task, dataset, clips, examples, model.size, device)
    judge, judged = model.task.judge(dataset, model.size), []
    told = iter(examples.select("clip", "frame").iter_rows())
    with progress("Looking at studies", len(examples), "looks") as bar:
        for images, _ in watched.parts(AT_ONCE):
            for belief in model.beliefs(images).cpu():
                clip, frame = next(told)
                judged += judge.judge(clip, frame, belief)[0]
            bar.advance(len(images))
    return pl.DataFrame(judged, infer_schema_length=None)


def _with_belief(task: Diagnosis, studies: pl.DataFrame) -> pl.DataFrame:
    """Studies with what is believed of their answer."""
    if "probability" in studies.columns:
        yes = pl.col("probability")
        return studies.with_columns(belief=pl.when(pl.col("answer") == 1).then(yes).otherwise(1 - yes))
    shares = [
        pl.when(pl.col("answer") == number).then(pl.col(f"p_{name}"))
        for number, name in enumerate(task.classes)
    ]
    return studies.with_columns(belief=pl.coalesce(shares))


def _named(studies: pl.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    return [row for name in names for row in studies.filter(pl.col("study") == name).iter_rows(named=True)]


def _telling(studies: pl.DataFrame, number: int) -> list[tuple[str, dict[str, Any]]]:
    """In turn from three lists, none twice; that of the unsure has all studies in it."""
    is_right, surest = pl.col("correct") == 1, studies.sort("belief", "study", descending=[True, False])
    lists = {
        "surest right": surest.filter(is_right & (pl.col("answer") > 0)),
        "surest wrong": surest.filter(~is_right),
        "least sure": surest.reverse(),
    }
    ranked = [[(why, row) for row in table.iter_rows(named=True)] for why, table in lists.items()]
    found: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for entry in chain.from_iterable(zip_longest(*ranked)):
        if entry is not None and len(found) < number:
            found.setdefault((entry[1]["patient"], entry[1]["study"]), entry)
    return sorted(found.values(), key=lambda entry: list(lists).index(entry[0]))


def _case(
    task: Diagnosis, why: str, study: Mapping[str, Any], looks: pl.DataFrame, rows: Mapping[str, int]
) -> Case:
    answer = task.classes[study["answer"]]
    own = looks.filter((pl.col("patient") == study["patient"]) & (pl.col("study") == study["study"]))
    look = own.sort(f"p_{answer}", "clip", "frame", descending=[True, False, False]).row(0, named=True)
    return Case(
        study=study["study"],
        clip=look["clip"],
        row=rows[look["clip"]],
        frame=look["frame"],
        why=why,
        answer=answer,
        number=study["answer"],
        truth=task.classes[study["truth"]],
        belief=study["belief"],
        clip_belief=look[f"p_{answer}"],
    )
