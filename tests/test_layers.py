"""Imports only point down: door, stages, parts, artifacts, ground; and stages meet through artifacts alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import apical

PACKAGE = Path(apical.__file__).parent
GROUND = {
    "averages",
    "batch",
    "checkpoint",
    "config",
    "engine",
    "errors",
    "evenly",
    "first_process",
    "gathering",
    "interruption",
    "launch",
    "layout",
    "precision",
    "trainer",
    "training_state",
    "vigil",
    "lock",
    "memory",
    "moment",
    "progress",
    "pseudonyms",
    "registry",
    "runlength",
    "schedules",
    "version",
    "whole",
    "workers",
}
ARTIFACTS = {"dataset", "draft", "journal", "run", "run_draft", "scores", "segments", "tables"}
PARTS = {
    "atlas",
    "cases",
    "explained",
    "explanation_report",
    "explanations",
    "sanity",
    "correspondences",
    "reasons",
    "augmentations",
    "backbones",
    "cards",
    "checks",
    "cohorts",
    "deidentification",
    "encoders",
    "entries",
    "feed",
    "evaluation_report",
    "examples",
    "finetuning",
    "finetuning_report",
    "fitting",
    "fitting_report",
    "frames",
    "freezing",
    "labels",
    "leakage",
    "learner",
    "lessons",
    "looks",
    "loggers",
    "measures",
    "methods",
    "models",
    "metrics",
    "monitors",
    "neighbours",
    "networks",
    "optimisers",
    "phantom",
    "pictures",
    "examination",
    "pretraining",
    "training_run",
    "pretraining_report",
    "pixels",
    "readers",
    "recipes",
    "sampling",
    "sight",
    "sources",
    "split_file",
    "splits",
    "starts",
    "sweeping",
    "tasks",
    "statistics",
    "views",
    "weights",
}
STAGES = {"compare", "doctor", "evaluate", "explain", "finetune", "ingest", "inspect", "parcels", "pretrain"}
DOOR = {"__init__", "__main__", "cli", "cli_judging", "cli_words"}
RANK = {name: rank for rank, group in enumerate([GROUND, ARTIFACTS, PARTS, STAGES, DOOR]) for name in group}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("apical.")}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "apical":
            rooms |= rooms_of(node)
    return rooms


def rooms_of(node: ast.ImportFrom) -> set[str]:
    assert node.module
    inner = node.module.split(".")[1:]
    if inner:
        return {inner[0]}
    return {alias.name if alias.name in RANK else "__init__" for alias in node.names}


def test_every_room_has_a_rank() -> None:
    assert {room(path) for path in MODULES} - set(RANK) == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_point_down(path: Path) -> None:
    here = room(path)
    upward = {name for name in imported_rooms(path) if RANK[name] > RANK[here]}
    assert not upward


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_imports_no_stage(stage: str) -> None:
    assert not (imported_rooms(PACKAGE / f"{stage}.py") & STAGES - {stage})


def test_only_the_door_knows_the_phantom() -> None:
    outside = {room(path) for path in MODULES if "phantom" in imported_rooms(path)}
    assert outside == {"cli", "phantom"}
