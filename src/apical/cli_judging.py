"""The part of the door behind which models are judged and explained: words come in, a stage prints its answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from apical.cli_words import Overrides

__all__ = ["compare", "evaluate", "explain", "parcels"]


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run that 'apical finetune' wrote.")],
    data: Annotated[Path, typer.Option(help="A dataset folder.")],
    out: Annotated[Path, typer.Option(help="Where scores and pictures go.")],
    split: Annotated[str, typer.Option(help="Whom to judge it on: train, val, test, none, or all.")] = "test",
    which: Annotated[str, typer.Option(help="The best weights, or the last.")] = "best",
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 16,
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda.")] = "auto",
) -> None:
    """Judge a model image by image, with intervals, and draw its worst and best."""
    from apical.evaluate import evaluate as run_stage
    from apical.evaluation_report import report_lines

    scores = run_stage(run, data, out, split=split, which=which, batch_size=batch_size, device=device)
    typer.echo("\n".join(report_lines(scores)))


def parcels(
    run: Annotated[Path, typer.Argument(help="A run of 'apical pretrain', or of parcel_segmentation.")],
    data: Annotated[Path, typer.Option(help="A dataset folder.")],
    out: Annotated[Path, typer.Option(help="Where pictures and tables go.")],
    split: Annotated[str, typer.Option(help="What to look at: train, val, test, none, or all.")] = "val",
    level: Annotated[
        list[int] | None,
        typer.Option(help="Before there are parcels: which maps of the backbone to look at, 0 the finest."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda.")] = "auto",
) -> None:
    """Show what a run's parcels are, what they overlap, and why each image got its mask."""
    from apical.parcels import parcels as run_stage

    typer.echo("\n".join(run_stage(run, data, out, split=split, levels=level, device=device).lines))


def explain(
    run: Annotated[Path, typer.Argument(help="A run of 'apical finetune diagnosis'.")],
    data: Annotated[Path, typer.Option(help="A dataset folder.")],
    out: Annotated[Path, typer.Option(help="Where videos, pictures and tables go.")],
    split: Annotated[str, typer.Option(help="What to look at: train, val, test, none, or all.")] = "test",
    study: Annotated[list[str] | None, typer.Option(help="A study by its name, or several.")] = None,
    number: Annotated[int, typer.Option(min=1, help="Studies, where none is named.")] = 6,
    way: Annotated[str, typer.Option(help="How: occlusion, or gradcam, which is quick.")] = "occlusion",
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda.")] = "auto",
    overrides: Overrides = None,
) -> None:
    """Show which frames of a study, and where in them, an answer comes from, and whether to believe that."""
    from apical.explain import explain as run_stage

    stage = partial(run_stage, split=split, study=study or (), number=number, way=way)
    typer.echo("\n".join(stage(run, data, out, device=device, overrides=overrides or []).lines))


def compare(
    scores: Annotated[
        list[Path],
        typer.Argument(help="Folders that 'apical evaluate' wrote; the first is the one to compare with."),
    ],
    figure: Annotated[str | None, typer.Option(help="What to compare; Dice unless given.")] = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file for the table.")] = None,
) -> None:
    """Compare models on the same images: differences, intervals, and p values corrected for their number."""
    from apical.compare import compare as run_stage
    from apical.compare import comparison_lines

    typer.echo("\n".join(comparison_lines(run_stage(scores, figure=figure, out=out))))
