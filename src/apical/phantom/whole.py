"""Files that are whole or absent: bytes come in under a temporary name, and the file appears in one move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apical.errors import ApicalError

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write; what lies there moves to `path` when the block has ended without an error."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise ApicalError(
            "This file can't be written",
            where=str(path),
            seen=error.strerror,
            remedy="Free some space or choose another folder, then run the same command again.",
        ) from None
