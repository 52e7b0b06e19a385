"""Files whose headers may claim gigabytes: a path comes in, a file that gives no more than it has goes out."""

from __future__ import annotations

from io import BufferedReader, FileIO
from pathlib import Path

__all__ = ["BoundedFile"]


class BoundedFile(BufferedReader):
    """A binary file; Python makes room for all bytes that a decoder asks for, whether they are there or not."""

    def __init__(self, path: Path) -> None:
        super().__init__(FileIO(path))
        self._end = self.seek(0, 2)
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, or as many as there are."""
        left = max(0, self._end - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))
