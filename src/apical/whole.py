"""Files that are whole or absent: bytes come in under a temporary name, and the file appears in one move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apical.errors import writing

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write; what lies there moves to `path` when the block has ended without an error."""
    part = path.with_name(f".{path.name}.part")
    with writing(str(path)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
