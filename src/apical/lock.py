"""One process at a time: a path comes in, a lock on it is held until it is released or the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from apical.errors import MachineError

__all__ = ["Lock"]


class Lock:
    """An advisory lock that dies with its process; `purpose` tells the other process what this one does."""

    def __init__(self, path: Path, purpose: str) -> None:
        while True:
            self._file = path.open("w")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise MachineError(f"Another process {purpose}", remedy="Wait until it has ended.") from None
            if path.exists() and os.path.samestat(os.fstat(self._file.fileno()), path.stat()):
                return
            self._file.close()  # its last owner removed it just before: this was a lock on nothing

    def release(self) -> None:
        """Let others in."""
        self._file.close()
