"""The folder of a synthetic data set: what it is to hold comes in, a folder of that alone goes out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apical.errors import ApicalError
from apical.phantom.layouts.base import Layout
from apical.version import VERSION
from apical.whole import whole_file

__all__ = ["CARD", "TRUTH", "Claim"]

CARD, TRUTH = "phantom.json", "phantom_truth"
LICENCE = "CC0-1.0, synthetic"


@dataclass(frozen=True)
class Claim:
    """A folder and what it is to hold; `phantom.json` in it says so from the start."""

    folder: Path
    layout: type[Layout]
    patients: int
    seed: int
    faults: Sequence[str]

    def take(self) -> None:
        """Mark an empty folder, or one of the same contents, as ours; any other is refused."""
        card = self.folder / CARD
        if card.is_file():
            if _without_outcome(_read(card)) != self._card():
                raise self._refusal("This folder holds another synthetic data set")
        elif self.folder.exists() and (not self.folder.is_dir() or _has_files(self.folder)):
            raise self._refusal("This folder is not empty")
        self._write({"is_complete": False})

    def complete(self, counts: Mapping[str, int]) -> None:
        """Say that everything is there."""
        self._write({"is_complete": True, "counts": dict(counts)})

    def _card(self) -> dict[str, Any]:
        return {
            "synthetic": True,
            "layout": self.layout.__module__.rpartition(".")[2],
            "title": self.layout.title,
            "licence": LICENCE,
            "patients": self.patients,
            "seed": self.seed,
            "faults": list(self.faults),
            "version": VERSION,
        }

    def _write(self, outcome: Mapping[str, Any]) -> None:
        with whole_file(self.folder / CARD) as part:
            part.write_text(json.dumps({**self._card(), **outcome}, indent=2) + "\n", encoding="utf-8")

    def _refusal(self, what: str) -> ApicalError:
        return ApicalError(what, where=str(self.folder), remedy="Name a folder that does not exist yet")


def _read(card: Path) -> dict[str, Any]:
    try:
        values = json.loads(card.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return values if isinstance(values, dict) else {}


def _without_outcome(card: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in card.items() if key not in ("is_complete", "counts")}


def _has_files(folder: Path) -> bool:
    """Whether there is anything that an interrupted start of ours does not explain."""
    return any(path.name != f".{CARD}.part" for path in folder.iterdir())
