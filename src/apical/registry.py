"""The folder is the registry: a parts folder's name comes in, the pieces' names or one piece comes out."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from apical.errors import ApicalError, nearest

__all__ = ["load", "names", "parts_folders"]

PACKAGE_FOLDER = Path(__file__).parent


def parts_folders() -> list[str]:
    """The folders whose files users call by name: recipes, and those with a `base.py` that says what a piece is."""
    files = [*PACKAGE_FOLDER.rglob("base.py"), *PACKAGE_FOLDER.rglob("*.yaml")]
    return sorted({str(file.parent.relative_to(PACKAGE_FOLDER)).replace("/", ".") for file in files})


def names(folder: str) -> list[str]:
    """Names of the pieces in a parts folder such as `sources`; imports none of them."""
    place = PACKAGE_FOLDER.joinpath(*folder.split("."))
    files = [*place.glob("*.py"), *place.glob("*.yaml")]
    return sorted(file.stem for file in files if file.stem != "base" and not file.stem.startswith("_"))


def load(folder: str, name: str) -> Any:
    """The class of the piece `name`: the first public name of `folder/name.py`."""
    if name not in names(folder):
        raise ApicalError(f"There is no '{name}' in {folder}", remedy=nearest(name, names(folder)))
    module = import_module(f"apical.{folder}.{name}")
    return getattr(module, module.__all__[0])
