"""Explain: a run and a dataset come in; which frames, and where in them, its answers come from goes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import polars as pl

from apical import registry
from apical.cases import cases_of, diagnosis_of
from apical.config import Config, piece, read_config
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.explained import asked_of, explained
from apical.explanation_report import Explanations, report_explanations
from apical.explanations.base import Explanation, ExplanationConfig
from apical.launch import device_named
from apical.memory import enough_memory
from apical.models import model_of
from apical.networks.base import Network
from apical.progress import progress
from apical.run import Run
from apical.sanity import checked

__all__ = ["Explaining", "explain"]


class ExplainConfig(Config):
    """Settings of explanations."""

    way: Annotated[ExplanationConfig, *piece("explanations")]
    """How to find what an answer comes from, with its settings."""


@dataclass(frozen=True)
class Explaining:
    """What was written."""

    folder: Path
    lines: tuple[str, ...]
    """What a terminal says."""


def explain(
    run: Path,
    data: Path,
    out: Path,
    *,
    split: str = "test",
    study: Sequence[str] = (),
    number: int = 6,
    way: str = "occlusion",
    device: str = "auto",
    overrides: Iterable[str] = (),
) -> Explaining:
    """Show what answers come from, of the named studies of a split, or of `all`, or of up to `number` telling ones."""
    config = read_config(ExplainConfig, None, overrides, way=way)
    explanation: Explanation = registry.load("explanations", config.way.name)(config.way)
    trained, dataset, where = Run.open(run), Dataset.open(data), device_named(device)
    model = model_of(trained, device=where)
    diagnosis_of(model)
    assert isinstance(model.network, Network)
    clips = _clips(dataset, split)
    with enough_memory("explanations", "Take fewer at once: way.at_once=4, with --way occlusion."):
        asked = asked_of(model, dataset, clips, cases_of(model, dataset, clips, study, number, where))
        with progress("Explaining", len(asked), "studies") as bar:
            found = []
            for each in asked:
                found.append(explanation.explain(model.network, each.images, each.evidence))
                bar.advance()
        sanity = checked(explanation, model.network, asked, found)
    studies = [explained(*each, dataset) for each in zip(asked, found, strict=True)]
    explanations = Explanations(trained, dataset, split, config.way.name, found[0].grid, studies, sanity)
    return Explaining(out, tuple(report_explanations(explanations, out)))


def _clips(dataset: Dataset, split: str) -> pl.DataFrame:
    clips = dataset.usable_clips
    clips = clips if split == "all" else clips.filter(pl.col("split") == split)
    if clips.is_empty():
        raise ApicalError(
            f"No clip is in the split '{split}'",
            where=str(dataset.folder),
            remedy="Take another --split, or all.",
        )
    return clips
