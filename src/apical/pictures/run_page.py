"""The page of a run: its picture, and facts and figures in words, come in; one self-contained HTML file goes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from apical.pictures.page import write_page

__all__ = ["write_run_page"]


def write_run_page(
    path: Path,
    *,
    title: str,
    picture: Path,
    picture_says: str,
    facts: Sequence[tuple[str, str]],
    figures: Sequence[tuple[str, str, str]],
    notes: Sequence[str],
    notice: str,
    is_synthetic: bool = False,
) -> None:
    """Write a page with `facts` (name, value), `figures` (name, value, what it means), and `notes` of what to know."""
    write_page(
        path,
        "run.html",
        {"shown": picture},
        title=title,
        picture_says=picture_says,
        facts=facts,
        figures=figures,
        notes=notes,
        notice=notice,
        is_synthetic=is_synthetic,
    )
