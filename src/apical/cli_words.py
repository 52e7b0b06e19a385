"""Words that several commands take: their types and lines of help."""

from __future__ import annotations

from typing import Annotated

import typer

from apical import registry

__all__ = ["Init", "Overrides", "Recipe", "complete"]


def complete(folder: str) -> list[str]:
    """Names of pieces that a shell may complete."""
    return registry.names(folder)


Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Settings, as key=value or key.sub=value."),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="Settings by the name of a recipe, or a YAML file.",
        autocompletion=lambda: complete("recipes"),
    ),
]
Init = Annotated[
    str | None, typer.Option(help="First weights: random, imagenet, dino:FILE, or a run folder.")
]
