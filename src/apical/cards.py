"""The card of a dataset: its source, its settings and its journal come in, what `dataset.json` says goes out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apical.dataset import DatasetCard
from apical.errors import ApicalError
from apical.journal import Entry
from apical.pixels.task import Settings
from apical.sources.base import Source
from apical.splits import JUDGED_ON, LEARNT_FROM
from apical.version import VERSION

__all__ = ["card_of"]

PHANTOM_CARD = "phantom.json"
"""Lies in every folder of synthetic data."""
LEVELS = ("clip", "trace", "label", "note")


def card_of(
    name: str, source: Source, folder: Path, settings: Settings, entries: Iterable[Entry]
) -> DatasetCard:
    """The card; the content's hash is put in when the dataset is finished."""
    counts, exclusions = _tally(entries)
    return DatasetCard(
        source=name,
        **_origin(source, folder),
        preprocessing=asdict(settings),
        counts=counts,
        exclusions=exclusions,
        content_sha256="",
        tool_version=VERSION,
    )


def _tally(entries: Iterable[Entry]) -> tuple[dict[str, int], dict[str, int]]:
    names = ("clips", "usable_clips", "frames", "traced_frames", "patients")
    counts, levels = Counter(dict.fromkeys(names, 0)), Counter(dict.fromkeys(LEVELS, 0))
    patients: set[str] = set()
    sides: tuple[set[str], set[str]] = set(), set()
    for entry in entries:
        counts["clips"] += 1
        levels.update(fault["level"] for fault in entry.faults)
        if entry.clip["excluded"] is None:
            counts["usable_clips"] += 1
            counts["frames"] += entry.clip["num_frames"]
            counts["traced_frames"] += len({trace["frame"] for trace in entry.traces})
            patients.add(entry.clip["patient"])
            for side, splits in zip(sides, (LEARNT_FROM, JUDGED_ON), strict=True):
                if entry.clip["split"] in splits:
                    side.add(entry.clip["patient"])
    counts["patients"] = len(patients)
    if leaking := len(sides[0] & sides[1]):
        counts["leaking_patients"] = leaking
    return dict(counts), dict(levels)


def _origin(source: Source, folder: Path) -> dict[str, Any]:
    """Title, terms and citation: the source's, or those of synthetic data that only look like it."""
    phantom = folder / PHANTOM_CARD
    if phantom.is_file():
        title = f"Synthetic hearts laid out as {source.title}"
        terms = {"licence": _licence_of(phantom), "citation": "apical phantom", "url": ""}
        return {"title": title, **terms, "is_synthetic": True}
    terms = {"licence": source.licence, "citation": source.citation, "url": source.url}
    return {"title": source.title, **terms, "is_synthetic": False}


def _licence_of(phantom: Path) -> str:
    try:
        return str(json.loads(phantom.read_text(encoding="utf-8"))["licence"])
    except (OSError, ValueError, TypeError, KeyError):
        raise ApicalError(
            "The card of these synthetic data can't be read",
            where=phantom.name,
            remedy="Write the data anew with 'apical phantom'.",
        ) from None
