"""The folder is the registry."""

from __future__ import annotations

import subprocess
import sys
from inspect import isabstract

import pytest

from apical import registry
from apical.errors import ApicalError

RECIPES = "recipes"
PIECES = [
    (folder, name)
    for folder in registry.parts_folders()
    for name in registry.names(folder)
    if folder != RECIPES
]


@pytest.mark.parametrize(("folder", "name"), PIECES)
def test_every_piece_loads_and_its_class_extends_the_contract(folder: str, name: str) -> None:
    contract = __import__(f"apical.{folder}.base", fromlist=["base"])
    piece = registry.load(folder, name)
    assert any(
        issubclass(piece, getattr(contract, each)) for each in contract.__all__ if is_abstract(contract, each)
    )
    assert piece.__doc__


def is_abstract(module: object, name: str) -> bool:
    return isabstract(getattr(module, name))


def test_the_four_kinds_of_piece_are_found() -> None:
    assert {"sources", "readers", "phantom.layouts", "phantom.anatomy"} <= set(registry.parts_folders())


def test_every_layout_is_named_as_the_source_that_reads_it() -> None:
    assert set(registry.names("phantom.layouts")) <= set(registry.names("sources"))


def test_an_unknown_piece_names_the_nearest() -> None:
    with pytest.raises(ApicalError, match="Did you mean 'camus'"):
        registry.load("sources", "camsu")


def test_listing_names_imports_none_of_them() -> None:
    code = "import sys; from apical import registry; registry.names('sources'); print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "apical.sources.camus" not in answer.stdout.split()
