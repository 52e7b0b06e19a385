"""Evaluate: a run and a dataset with labels come in; scores image by image, their summary and pictures go out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import polars as pl
import torch
from torch import Tensor

from apical.dataset import Dataset
from apical.errors import ApicalError, nearest
from apical.evaluation_report import report_evaluation
from apical.frames import FrameStore
from apical.launch import device_named
from apical.leakage import leakage_of_evaluation
from apical.looks import images_of
from apical.memory import enough_memory
from apical.models import Model, model_of
from apical.progress import progress
from apical.run import Run
from apical.scores import ScoreCard, Scores
from apical.version import VERSION

__all__ = ["evaluate"]

SPLITS = ("train", "val", "test", "none")
ALL = "all"
SHOWS = ("fit", "crops_to_sector", "blanks_outside_sector")
"""Settings of ingest that decide what of the heart lies where in a frame."""
Which = Literal["last", "best"]
WHICH: tuple[Which, ...] = ("best", "last")


def evaluate(
    run: Path,
    data: Path,
    out: Path,
    *,
    split: str = "test",
    which: str = "best",
    batch_size: int = 16,
    device: str = "auto",
) -> Scores:
    """Judge the run's model on all labelled images of a split, or of `all`, and write what was found into `out`."""
    trained, dataset, weights = Run.open(run), Dataset.open(data), _which(which)
    where = device_named(device)
    model = model_of(trained, weights, where)
    clips = _clips(dataset, split)
    examples = model.task.looks(dataset, model.task.examples(dataset, clips))
    if examples.is_empty():
        raise ApicalError(
            f"Nothing of the split '{split}' has labels for this task",
            where=str(dataset.folder),
            seen=_splits(dataset),
            remedy="Take another --split; 'apical inspect' counts traced images and labels.",
        )
    leaks = leakage_of_evaluation(dataset, examples["patient"].unique(), trained, model.task.leakage)
    with enough_memory(f"batches of {batch_size}", "Take a smaller --batch-size."):
        scores, found = _judged(model, dataset, clips, examples, batch_size, where)
    out.mkdir(parents=True, exist_ok=True)
    pictures = model.task.draw(dataset, scores, found, out)
    remarks = (*leaks, *model.task.remarks, *_remarks(trained, dataset, split))
    card = _card(trained, model, dataset, split, weights, scores, remarks)
    written = Scores.write(out, card, scores, found)
    report_evaluation(written, model.task, pictures)
    return written


def _which(word: str) -> Which:
    chosen = next((which for which in WHICH if which == word), None)
    if chosen is None:
        raise ApicalError(f"A run has no '{word}' weights", remedy=nearest(word, WHICH))
    return chosen


def _clips(dataset: Dataset, split: str) -> pl.DataFrame:
    if split == ALL:
        return dataset.usable_clips
    if split not in SPLITS:
        raise ApicalError(f"There is no split '{split}'", remedy=nearest(split, (*SPLITS, ALL)))
    return dataset.usable_clips.filter(pl.col("split") == split)


def _splits(dataset: Dataset) -> str:
    counts = dataset.usable_clips["split"].value_counts().sort("split")
    return ", ".join(f"{count} clips in {split}" for split, count in counts.iter_rows())


def _judged(
    model: Model,
    dataset: Dataset,
    clips: pl.DataFrame,
    examples: pl.DataFrame,
    batch_size: int,
    device: torch.device,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables of scores and of what was found."""
    judge = model.task.judge(dataset, model.size)
    scores: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    with progress("Evaluating", len(examples), "images") as bar:
        for part, images in _batches(model, dataset, clips, examples, batch_size, device):
            beliefs = model.beliefs(images).cpu()
            for row, believed in zip(part.iter_rows(named=True), beliefs, strict=True):
                own_scores, own_found = judge.judge(row["clip"], row["frame"], believed)
                scores += own_scores
                found += own_found
            bar.advance(len(part))
    rows, kept = (pl.DataFrame(each, infer_schema_length=None) for each in (scores, found))
    return model.task.scored(rows), kept


def _batches(
    model: Model,
    dataset: Dataset,
    clips: pl.DataFrame,
    examples: pl.DataFrame,
    batch_size: int,
    device: torch.device,
) -> Iterator[tuple[pl.DataFrame, Tensor]]:
    store = FrameStore.open(dataset, clips, "disk", device)
    for start in range(0, len(examples), batch_size):
        part = examples[start : start + batch_size]
        yield part, images_of(store, part, model.task.look, model.size)


def _card(
    run: Run,
    model: Model,
    dataset: Dataset,
    split: str,
    which: Which,
    scores: pl.DataFrame,
    remarks: tuple[str, ...],
) -> ScoreCard:
    data, judged = dataset.card, model.task.judged
    return ScoreCard(
        task=run.card.method,
        run={
            "name": run.folder.resolve().name,
            "command": run.card.command,
            "labels": run.config["labels"],
            "labelled_patients": run.card.data["labelled_patients"],
            "seed": run.config["seed"],
            "network": run.config["network"]["name"] if "network" in run.config else "frozen encoder",
            "backbone": run.config["backbone"]["name"],
            "init": Path(run.config["init"]).name,
            "which": which,
            "step": run.about_weights(which).get("step"),
        },
        data={
            "title": data.title,
            "content_sha256": data.content_sha256,
            "split": split,
            "is_synthetic": data.is_synthetic,
            "images": scores.select(_without(judged.keys, judged.parts)).n_unique(),
            "unit": judged.unit,
            "patients": scores[judged.cluster].n_unique(),
            "citation": data.citation,
        },
        licences=tuple(dict.fromkeys([f"data: {data.licence}", *run.card.licences])),
        keys=judged.keys,
        parts=judged.parts,
        cluster=judged.cluster,
        ranking=judged.ranking,
        figures=judged.figures,
        summary=model.task.summary(dataset, scores),
        versions={"apical": VERSION, "torch": torch.__version__},
        remarks=remarks,
    )


def _without(keys: tuple[str, ...], parts: tuple[str, ...]) -> list[str]:
    return [key for key in keys if key not in parts]


def _remarks(run: Run, dataset: Dataset, split: str) -> tuple[str, ...]:
    is_same = run.card.data["content_sha256"] == dataset.card.content_sha256
    remarks = []
    if is_same and split in {"train", "none", ALL}:
        remarks.append("These images are, at least in part, those that the model was trained on")
    if is_same and split == "val" and run.config.get("score", "last") != "last":
        remarks.append("The checkpoint was chosen on this split, which makes its figures a little too good")
    if others := _prepared_otherwise(run, dataset):
        remarks.append(f"These images were prepared otherwise than those learnt from: {', '.join(others)}")
    if not run.card.is_finished:
        remarks.append("The run is not finished")
    return tuple(remarks)


def _prepared_otherwise(run: Run, dataset: Dataset) -> list[str]:
    """Settings of ingest that change what a frame shows, where they are not those of the training data."""
    there, here = run.card.data.get("preprocessing", {}), dataset.card.preprocessing
    return [name for name in SHOWS if name in there and there[name] != here.get(name)]
