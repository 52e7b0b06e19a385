"""What a user can mend: in goes what is known of the mishap, out comes one paragraph that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["ApicalError", "MachineError", "nearest", "writing"]


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
        return _rebuild, (type(self), self.what, self.where, self.seen, self.remedy)


class MachineError(ApicalError):
    """Something that is wrong with this machine or the way the work was started, not with one clip: all must stop."""


def _rebuild(
    kind: type[ApicalError], what: str, where: str | None, seen: str | None, remedy: str
) -> ApicalError:
    return kind(what, where=where, seen=seen, remedy=remedy)


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Turn a failure to write into an error that stops all and says what to do."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            "This can't be written to",
            where=place,
            seen=error.strerror,
            remedy="Free some space or mend its rights, and run the same command again: it continues here.",
        ) from None


def nearest(name: str, names: Iterable[str]) -> str:
    """Say what there is instead of `name`: the closest match first, then all of them."""
    choices = sorted(names)
    close = difflib.get_close_matches(name, choices, n=1)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    return f"{guess}There are: {', '.join(choices) or 'none'}"
