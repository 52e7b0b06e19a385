"""Small folders written by hand; scans decode nothing, so empty files stand for videos and images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from apical import registry
from apical.sources.base import ClipRecord, Source

Scan = Callable[[str], dict[str, ClipRecord]]
Write = Callable[[str, Iterable[str]], Path]
Touch = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text file, line by line, below the test's folder."""

    def _write(name: str, lines: Iterable[str]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return _write


@pytest.fixture
def touch(tmp_path: Path) -> Touch:
    """Make empty files below the test's folder."""

    def _touch(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return _touch


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    """Scan the test's folder as a source's; records by clip."""

    def _scan(source: str) -> dict[str, ClipRecord]:
        piece: Source = registry.load("sources", source)()
        records = list(piece.scan(tmp_path))
        assert len({record.clip for record in records}) == len(records)
        return {record.clip: record for record in records}

    return _scan


def reasons(record: ClipRecord, level: str) -> list[str]:
    """Reasons of the record's faults of a level."""
    return [fault.reason for fault in record.faults if fault.level == level]
