"""Complete settings by name: the papers' own, and tiny ones that end in a minute on a CPU."""

from __future__ import annotations

from pathlib import Path

from apical import registry
from apical.errors import ApicalError, nearest

__all__ = ["recipe_path"]


def recipe_path(recipe: str, task: str | None = None) -> Path:
    """The file of a recipe, given by the name of one that comes along, or by a path of one's own.

    Of the recipes for a task, which are named TASK-WORD, the word alone will do.
    """
    for name in (recipe, f"{task}-{recipe}"):
        if name in registry.names("recipes"):
            return Path(__file__).parent / f"{name}.yaml"
    path = Path(recipe)
    if not path.is_file():
        raise ApicalError(f"There is no recipe '{recipe}'", remedy=nearest(recipe, registry.names("recipes")))
    return path
