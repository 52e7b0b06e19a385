"""The door: words typed by a user come in, one stage is called, its answer is printed. No logic lives here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from apical import registry
from apical.cli_judging import compare, evaluate, explain, parcels
from apical.cli_words import Init, Overrides, Recipe, complete
from apical.errors import ApicalError
from apical.first_process import is_first_process
from apical.version import VERSION

__all__ = ["app", "main"]


class _Polite(TyperGroup):
    """Ends a mishap that the user can mend with one paragraph and exit code 2, and Ctrl-C with what to do next."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ApicalError as error:
            if is_first_process():
                typer.echo(f"apical: {error}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt as stop:
            how = str(stop) or "stopped; run the same command again to continue"
            if is_first_process():
                typer.echo(f"\napical: {how}.", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="apical",
    cls=_Polite,
    help="Label-efficient echocardiography. Research use only; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def _door(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
) -> None:
    if version:
        typer.echo(f"apical {VERSION}")
        raise typer.Exit


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    layout: Annotated[
        str,
        typer.Option(
            help="Whose on-disk layout to write.", autocompletion=lambda: complete("phantom.layouts")
        ),
    ],
    patients: Annotated[int, typer.Option(min=1, help="How many synthetic patients.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same hearts.")] = 0,
    dirt: Annotated[bool, typer.Option("--dirt", help="Plant the faults that real data have.")] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; all cores unless given.")
    ] = None,
) -> None:
    """Write synthetic hearts with known truth, laid out as a public data set."""
    from apical.phantom.write import write_phantom

    counts = write_phantom(layout, out, patients=patients, seed=seed, dirt=dirt, processes=processes)
    summary = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items())
    typer.echo(f"Wrote {out}: {summary} (synthetic).")


@app.command()
def ingest(
    source: Annotated[
        str, typer.Argument(help="How the data lie on disk.", autocompletion=lambda: complete("sources"))
    ],
    folder: Annotated[Path, typer.Argument(help="The folder that holds them.")],
    out: Annotated[Path, typer.Option(help="The dataset folder to write or to continue.")],
    overrides: Overrides = None,
) -> None:
    """Turn a data set on disk into one fast, checked, de-identified dataset folder."""
    from apical.ingest import ingest as run
    from apical.inspect import summary_lines

    typer.echo("\n".join(summary_lines(run(source, folder, out, overrides or []))))


@app.command()
def inspect(
    dataset: Annotated[Path, typer.Argument(help="A dataset folder.")],
    out: Annotated[
        Path | None, typer.Option(help="Where the pictures go; DATASET/inspect unless given.")
    ] = None,
) -> None:
    """Count what is in a dataset, draw it, and warn of what matters."""
    from apical.inspect import inspect as run
    from apical.inspect import report_lines

    inspection = run(dataset, out or dataset / "inspect")
    typer.echo("\n".join(report_lines(inspection)))


@app.command()
def pretrain(
    method: Annotated[
        str, typer.Argument(help="What to learn from.", autocompletion=lambda: complete("methods"))
    ],
    out: Annotated[Path, typer.Option(help="The run folder to write or, with --resume, to go on with.")],
    data: Annotated[Path | None, typer.Option(help="A dataset folder.")] = None,
    recipe: Recipe = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")] = False,
    init: Init = None,
    devices: Annotated[int | None, typer.Option(min=1, help="Devices on each node.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines.")] = None,
    strategy: Annotated[str | None, typer.Option(help="auto or ddp.")] = None,
    overrides: Overrides = None,
) -> None:
    """Learn an encoder from a dataset's unlabelled frames."""
    from apical.pretrain import pretrain as run
    from apical.pretraining_report import report_lines

    given = {"init": init, "devices": devices, "nodes": nodes, "strategy": strategy}
    trained = run(method, out, data=data, recipe=recipe, resume=resume, overrides=overrides or [], **given)
    for line in report_lines(trained):
        typer.echo(line)


@app.command()
def finetune(
    task: Annotated[str, typer.Argument(help="What to learn.", autocompletion=lambda: complete("tasks"))],
    out: Annotated[Path, typer.Option(help="The run folder to write or, with --resume, to go on with.")],
    data: Annotated[Path | None, typer.Option(help="A dataset folder.")] = None,
    init: Init = None,
    network: Annotated[
        str | None,
        typer.Option(help="What learns it.", autocompletion=lambda: complete("networks")),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Annotated patients to learn from: all, 20, or 5%.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the draw of patients and all else.")] = None,
    recipe: Recipe = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")] = False,
    sweep: Annotated[
        str | None,
        typer.Option(help="Try values of a setting, and keep the best: optimiser.lr=1e-4,5e-4,1e-5."),
    ] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="Devices on each node.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines.")] = None,
    strategy: Annotated[str | None, typer.Option(help="auto or ddp.")] = None,
    overrides: Overrides = None,
) -> None:
    """Learn a task from a few annotated patients."""
    from apical.finetune import finetune as run
    from apical.finetuning_report import report_lines

    given = {"init": init, "labels": labels, "seed": seed}
    places = {"devices": devices, "nodes": nodes, "strategy": strategy}
    trained = run(
        task,
        out,
        data=data,
        network=network,
        recipe=recipe,
        resume=resume,
        sweep=sweep,
        overrides=overrides or [],
        **given,
        **places,
    )
    typer.echo("\n".join(report_lines(trained)))


for judge in (evaluate, parcels, explain, compare):
    app.command()(judge)


@app.command(name="list")
def list_pieces(
    kind: Annotated[
        str | None,
        typer.Argument(help="sources, phantom.layouts, …", autocompletion=registry.parts_folders),
    ] = None,
) -> None:
    """List the interchangeable pieces, by the names that commands take."""
    kinds = registry.parts_folders()
    if kind is not None and kind not in kinds:
        from apical.errors import nearest

        raise ApicalError(f"There is no kind of piece '{kind}'", remedy=nearest(kind, kinds))
    for folder in [kind] if kind else kinds:
        typer.echo(f"{folder}: {', '.join(registry.names(folder))}")


@app.command()
def doctor() -> None:
    """Tell what this machine and this installation can do, and what is missing."""
    from apical.doctor import findings

    width = max(len(finding.name) for finding in findings())
    for finding in findings():
        typer.echo(f"{finding.name:<{width}}  {finding.value}")


def main() -> None:
    """Run the command line."""
    app()
