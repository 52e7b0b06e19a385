"""The house rules that a machine can hold: sizes, names, and nothing of this machine in any file."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PYTHON = [
    *SOURCES,
    *(
        path
        for folder in ("tests", "benchmarks", "studies")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ),
]
MOST_LINES = 300
MOST_FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "handler", "misc"}


def function_lengths(path: Path) -> list[tuple[str, int]]:
    """Lines of each function, its docstring not counted."""
    lengths = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            text = (first.end_lineno or 0) - first.lineno + 1 if has_text else 0
            lengths.append((node.name, (node.end_lineno or 0) - node.lineno + 1 - text))
    return lengths


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_one_thing(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert not {name: length for name, length in function_lengths(path) if length > MOST_FUNCTION_LINES}


def test_most_functions_fit_on_a_card() -> None:
    lengths = [length for path in SOURCES for _, length in function_lengths(path)]
    assert statistics.median(lengths) <= 10
    assert statistics.quantiles(lengths, n=10)[-1] <= 30


def test_the_median_file_fits_on_two_pages() -> None:
    assert statistics.median(len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES) <= 150


def test_names_say_what_things_are() -> None:
    assert not [path for path in PYTHON if path.stem in FORBIDDEN_NAMES]


def tracked_text() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    endings = {".py", ".md", ".toml", ".txt", ".yaml", ".cff", ".html", ""}
    return [ROOT / name for name in listed.stdout.splitlines() if Path(name).suffix in endings]


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    hosts = r"py" r"pi\.org|python" r"hosted|np" r"mjs\.|--index-" r"url|--extra-index-" r"url"
    paths = r"(?<![\w.])/(?:ro" r"ot|wo" r"rk|ho" r"me)/"
    pattern = re.compile(f"{hosts}|{paths}")
    found = [
        path for path in tracked_text() if path.is_file() and pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert not found


def test_the_constraints_pin_every_dependency() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pinned = {
        line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    }
    block = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert block
    wanted = set(re.findall(r'"([A-Za-z0-9._-]+?)(?:\[|>=|")', block.group(1)))
    assert wanted - pinned == set()
