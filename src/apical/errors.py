"""What a user can mend: in goes what is known of the mishap, out comes one paragraph that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["ApicalError", "nearest"]


class ApicalError(Exception):
    """Something that the user can mend.

    Texts from patient files never enter `seen`: a free-text field may hold a name. Describe them instead
    ("text where a number is expected").
    """

    def __init__(self, what: str, *, where: str | None = None, seen: str | None = None, remedy: str) -> None:
        self.what, self.where, self.seen, self.remedy = what, where, seen, remedy
        super().__init__(what)

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.seen:
            parts.append(f"Seen: {self.seen}")
        parts.append(self.remedy)
        return " ".join(part if part.endswith((".", "?", "!")) else part + "." for part in parts)

    def __reduce__(self) -> tuple[object, ...]:  # so that it survives the way back from a worker process
        return _rebuild, (self.what, self.where, self.seen, self.remedy)


def _rebuild(what: str, where: str | None, seen: str | None, remedy: str) -> ApicalError:
    return ApicalError(what, where=where, seen=seen, remedy=remedy)


def nearest(name: str, names: Iterable[str]) -> str:
    """Say what there is instead of `name`: the closest match first, then all of them."""
    choices = sorted(names)
    close = difflib.get_close_matches(name, choices, n=1)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    return f"{guess}There are: {', '.join(choices) or 'none'}"
