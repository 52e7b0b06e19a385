"""Figures as lines of JSON in `metrics.jsonl`: one object a line, `step` first; what is no number is null."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from apical.checkpoint import sync_folder
from apical.errors import writing
from apical.loggers.base import Logger
from apical.whole import whole_file

__all__ = ["JsonLines"]


class JsonLines(Logger):
    """The figures that every run keeps. Each line is handed to the system at once, so a kill costs none but its own."""

    def __init__(self, folder: Path, settings: Mapping[str, object], after_step: int) -> None:  # noqa: ARG002
        self.path = folder / "metrics.jsonl"
        with writing(str(self.path)):
            _cut(self.path, after_step)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a line."""
        plain = {name: float(value) for name, value in figures.items()}
        finite = {name: value if math.isfinite(value) else None for name, value in plain.items()}
        line = json.dumps({"step": step, **finite}, allow_nan=False) + "\n"
        with writing(str(self.path)), self.path.open("ab", buffering=0) as file:
            file.write(line.encode("ascii"))

    def close(self) -> None:
        """Nothing is held back."""


def _cut(path: Path, after_step: int) -> None:
    """Leave out lines of later steps and what a kill tore, in a new file that takes the old one's place whole."""
    if not path.is_file():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if _is_up_to(after_step, line)]
    if len(kept) == len(lines):
        return
    with whole_file(path) as part, part.open("wb") as file:
        file.writelines(kept)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _is_up_to(after_step: int, line: bytes) -> bool:
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError):
        return False
    return line.endswith(b"\n") and isinstance(step, int) and step <= after_step
