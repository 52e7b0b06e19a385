"""Which run of a tracking service belongs to a run folder: its id is kept in the folder and found again."""

from __future__ import annotations

from pathlib import Path

from apical.whole import whole_file

__all__ = ["find_run_id", "keep_run_id"]


def find_run_id(folder: Path, service: str) -> str | None:
    """The id that was kept, if one was."""
    path = _path(folder, service)
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def keep_run_id(folder: Path, service: str, run_id: str) -> None:
    """Keep the id, whole or not at all."""
    with whole_file(_path(folder, service)) as part:
        part.write_text(run_id + "\n", encoding="utf-8")


def _path(folder: Path, service: str) -> Path:
    return folder / f"{service}-run.txt"
