"""Names of clips: what a file or a table calls it comes in, a unique name that is safe for files goes out."""

from __future__ import annotations

import hashlib
import re

__all__ = ["ClipNames", "safe_name"]

LONGEST_NAME = 100


def safe_name(text: str) -> str:
    """`text` in letters, digits, dots, dashes and underscores; a long one is cut, told apart by a hash."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".-") or "unnamed"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return f"{name[:LONGEST_NAME]}-{digest[:8]}"


class ClipNames:
    """The names given so far; file systems that ignore case count too."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, text: str) -> str:
        """A safe name for `text`, numbered if it is taken."""
        name = candidate = safe_name(text)
        number = 1
        while candidate.casefold() in self._taken:
            number += 1
            candidate = f"{name}-{number}"
        self._taken.add(candidate.casefold())
        return candidate
